package martlet;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.util.Collector;

/** Packs a record of Kafka into bytes, after the partition number: the layout is streaming/batch_codec.py's. */
public final class RecordPacker implements KafkaRecordDeserializationSchema<byte[]> {
    private static final long serialVersionUID = 1L;
    static final int PARTITION_SIZE = 4;
    private static final int HEADER_SIZE = 1 + 8 + 8 + 4 + 4;
    private static final byte[] EMPTY = {};
    private final String[] topics;

    /** @param topics names of topics; a record says its topic's index among them */
    public RecordPacker(String[] topics) { this.topics = topics; }

    @Override public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<byte[]> out) {
        byte[] key = record.key() == null ? EMPTY : record.key();
        byte[] value = record.value() == null ? EMPTY : record.value();
        ByteBuffer packed = ByteBuffer.allocate(PARTITION_SIZE + HEADER_SIZE + key.length + value.length);
        packed.order(ByteOrder.LITTLE_ENDIAN)
                .putInt(record.partition())
                .put((byte) Arrays.asList(topics).indexOf(record.topic()))
                .putLong(record.offset())
                .putLong(record.timestamp())
                .putInt(record.key() == null ? -1 : key.length)
                .putInt(value.length)
                .put(key).put(value);
        out.collect(packed.array());
    }

    @Override public TypeInformation<byte[]> getProducedType() { return PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO; }
}
