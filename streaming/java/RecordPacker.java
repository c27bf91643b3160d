package martlet;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.Arrays;
import org.apache.flink.api.common.serialization.DeserializationSchema.InitializationContext;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.util.Collector;

/** Packs a record of Kafka into bytes, after the partition number: layout and limits are streaming/batch_codec.py's. */
public final class RecordPacker implements KafkaRecordDeserializationSchema<byte[]> {
    private static final long serialVersionUID = 1L;
    static final int PARTITION_SIZE = 4;
    private static final int HEADER_SIZE = 1 + 8 + 8 + 4 + 4, LENGTH_SIZE = 4, DIGEST_SIZE = 32;
    private final String[] topics; // a record says its topic's index among them
    private final int keyLimit, valueLimit;
    private transient MessageDigest digest;

    public RecordPacker(String[] topics, int keyLimit, int valueLimit) {
        this.topics = topics; this.keyLimit = keyLimit; this.valueLimit = valueLimit;
    }

    @Override public void open(InitializationContext context) throws Exception { digest = MessageDigest.getInstance("SHA-256"); }

    @Override public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<byte[]> out) {
        byte[] none = {}, key = record.key() == null ? none : record.key(), value = record.value() == null ? none : record.value();
        int keySize = Math.min(key.length, keyLimit), kept = Math.min(value.length, valueLimit);
        int valueSize = kept == value.length ? kept : kept + LENGTH_SIZE + DIGEST_SIZE;
        ByteBuffer packed = ByteBuffer.allocate(PARTITION_SIZE + HEADER_SIZE + keySize + valueSize).order(ByteOrder.LITTLE_ENDIAN)
                .putInt(record.partition()).put((byte) Arrays.asList(topics).indexOf(record.topic())).putLong(record.offset())
                .putLong(record.timestamp()).putInt(record.key() == null ? -1 : keySize).putInt(valueSize)
                .put(key, 0, keySize).put(value, 0, kept);
        if (kept < value.length) packed.putInt(value.length).put(digest.digest(value));
        out.collect(packed.array());
    }

    @Override public TypeInformation<byte[]> getProducedType() { return PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO; }
}
