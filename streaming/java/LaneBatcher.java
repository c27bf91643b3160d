package martlet;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * Gathers packed records by lane. A batch goes on as one row (the lane's label, bytes) once the source has nothing more at hand, but
 * no later than {@code longestWait} ns after its first record, and at {@code largest} bytes. Where many come, each waits for others, up
 * to LONGEST_BUSY times that, since batches cost by their number, and lanes go on in turn, so that the next task does not have all
 * before it at once. What waits goes on before a checkpoint's barrier: there is no state.
 */
public final class LaneBatcher extends AbstractStreamOperator<Row> implements OneInputStreamOperator<byte[], Row> {
    private static final long serialVersionUID = 1L, LONGEST_BUSY = 25, MS = 1_000_000, SMOOTHED_OVER = 100 * MS, TURN = 4 * MS;
    private static final double CALM = 1000, NS_FOR_EACH = 4000; // records a second, and what each beyond them adds to the wait
    private final int[] labels; // by partition number
    private final long longestWait; private final int largest;
    private transient Batch[] batches; private transient MailboxExecutor mailbox;
    private transient boolean waiting, arrived; private transient int turn; // the lane that went on last
    private transient long waitingSince, waitsFor, sentAt, records; // records: since sentAt
    private transient double rate; // of records a second

    public LaneBatcher(int[] labels, long longestWait, int largest) {
        this.labels = labels; this.longestWait = longestWait; this.largest = largest;
    }

    @Override public void open() throws Exception {
        super.open();
        mailbox = getContainingTask().getMailboxExecutorFactory().createExecutor(getOperatorConfig().getChainIndex());
        batches = new Batch[labels.length];
        Arrays.setAll(batches, partition -> new Batch(partition));
    }

    @Override public void processElement(StreamRecord<byte[]> element) {
        byte[] record = element.getValue();
        int partition = ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN).getInt();
        if (partition >= labels.length)
            throw new IllegalStateException("expected partitions below " + labels.length + ", got a record of " + partition);
        batches[partition].add(record);
        records++; arrived = true;
        if (waiting) return;
        waiting = true; waitingSince = System.nanoTime(); waitsFor = waitOf(rate, longestWait);
        if (isBusy()) sendInTurn(); else mailbox.execute(this::sendWhenIdle, "send batches");
    }

    /** How many ns a record may wait for others where so many come a second. */
    public static long waitOf(double rate, long longestWait) {
        return (long) Math.max(longestWait, Math.min((rate - CALM) * NS_FOR_EACH, LONGEST_BUSY * longestWait));
    }

    /** How many lanes go on at once, and after how many ns the next ones, so that each of them does once in {@code waitsFor}. */
    public static long[] turnOf(int lanes, long waitsFor) {
        long pause = Math.max(TURN, waitsFor / lanes / MS * MS);
        return new long[] {Math.min(lanes, (lanes * pause + waitsFor - 1) / waitsFor), pause};
    }

    private boolean isBusy() { return waitsFor > TURN && waitsFor < LONGEST_BUSY * longestWait; } // beyond, it is a backlog

    /** Runs between two records: if none has arrived since it ran last, the source has nothing more at hand. */
    private void sendWhenIdle() {
        waiting = arrived && System.nanoTime() - waitingSince < waitsFor;
        if (!waiting) { send(batches.length); return; }
        arrived = false;
        mailbox.execute(this::sendWhenIdle, "send batches");
    }

    /** Runs every few ms while it is busy. */
    private void sendInTurn() {
        waitsFor = waitOf(rate, longestWait);
        waiting = isBusy();
        if (!waiting) { send(batches.length); return; }
        long[] next = turnOf(batches.length, waitsFor);
        send(next[0]);
        getProcessingTimeService().registerTimer(System.currentTimeMillis() + next[1] / MS - 1, at -> sendInTurn()); // Flink adds 1
    }

    private void send(long lanes) {
        long now = System.nanoTime(), passed = Math.max(1, now - sentAt);
        rate += Math.min(1, passed / (double) SMOOTHED_OVER) * (1e9 * records / passed - rate);
        sentAt = now; records = 0;
        for (; lanes > 0; lanes--) batches[turn = (turn + 1) % batches.length].send();
    }

    @Override public void prepareSnapshotPreBarrier(long checkpointId) { send(batches.length); }
    @Override public void finish() { send(batches.length); }

    /** A lane's batch in the making: a bytes object as Python's pickle writes it, in which PyFlink passes bytes on whole. */
    private final class Batch {
        private static final int START = 7; // of the records: after protocol, opcode and length
        private final int label;
        private byte[] bytes = {(byte) 0x80, 3, 'B', 0, 0, 0, 0};
        private int end = START;

        Batch(int partition) { label = labels[partition]; }

        void add(byte[] record) {
            int from = end == START ? 0 : RecordPacker.PARTITION_SIZE, length = record.length - from; // it says its partition once
            if (end + length >= bytes.length) bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, end + length + 1));
            System.arraycopy(record, from, bytes, end, length);
            end += length;
            if (end >= largest) send();
        }

        void send() {
            if (end == START) return;
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(3, end - START).put(end, (byte) '.');
            byte[] pickled = Arrays.copyOf(bytes, end + 1);
            end = START; if (bytes.length > 4 * largest) bytes = Arrays.copyOf(bytes, START); // a large record came
            output.collect(new StreamRecord<>(Row.of(label, pickled)));
        }
    }
}
