package martlet;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * Serializer of byte arrays that nobody changes once they are in state. Copies share the array, where Flink's own serializer copies
 * all bytes of a lane's map at its first use after a checkpoint.
 */
public final class SharedBytes extends TypeSerializerSingleton<byte[]> {
    private static final long serialVersionUID = 1L;
    private static final byte[] EMPTY = {};
    public static final SharedBytes INSTANCE = new SharedBytes();

    @Override public boolean isImmutableType() { return true; }
    @Override public byte[] createInstance() { return EMPTY; }
    @Override public byte[] copy(byte[] from) { return from; }
    @Override public byte[] copy(byte[] from, byte[] reuse) { return from; }
    @Override public int getLength() { return -1; }
    @Override public TypeSerializerSnapshot<byte[]> snapshotConfiguration() { return new Snapshot(); }

    @Override public void serialize(byte[] bytes, DataOutputView target) throws IOException {
        target.writeInt(bytes.length); target.write(bytes);
    }

    @Override public byte[] deserialize(DataInputView source) throws IOException {
        byte[] bytes = new byte[source.readInt()]; source.readFully(bytes); return bytes;
    }

    @Override public byte[] deserialize(byte[] reuse, DataInputView source) throws IOException { return deserialize(source); }
    @Override public void copy(DataInputView source, DataOutputView target) throws IOException { serialize(deserialize(source), target); }

    /** What a checkpoint says of this serializer. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<byte[]> {
        public Snapshot() { super(() -> INSTANCE); }
    }
}
