"""The job's source: the topics `events` and `served` as batches of records of one lane, packed as `streaming.batch_codec` says.

Gathering is an operator in Java (`streaming/java`), since no function in Python is told of a checkpoint before its barrier.
"""

from collections.abc import Mapping
from typing import Any, Final

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetResetStrategy,
    KafkaOffsetsInitializer,
    KafkaSource,
    KafkaTopicPartition,
)
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import to_jarray

from features.engines.kafka_address import KafkaAddress
from streaming.batch_codec import KEY_LIMIT, TOPICS, VALUE_LIMIT
from streaming.kafka_properties import kafka_properties
from streaming.keyed import BYTES
from streaming.lanes import labels_of
from streaming.settings import GROUP

LONGEST_WAIT_MS: Final = 2
LARGEST_BATCH: Final = 64 << 10
"""A batch goes on when the source has nothing more at hand, after so many ms (more where many records come), or with so many
bytes."""
_CONSUMER: Final = {
    "metadata.max.age.ms": "30000",
    # A broker behind a network that was cut says nothing, not even that it is gone: others have taken its place by then.
    "request.timeout.ms": "4000",
    "socket.connection.setup.timeout.ms": "2000",
    "socket.connection.setup.timeout.max.ms": "4000",
    "isolation.level": "read_uncommitted",
    # How long the broker may hold a fetch is Kafka's default: it answers with the first record. One that is to gather records for
    # some ms looks at all partitions again and again, in a home at rest too (docs/decisions/0010).
}


def log_batches(
    env: StreamExecutionEnvironment, address: KafkaAddress, offsets: Mapping[str, Mapping[int, int]]
) -> DataStream:
    """Returns the stream of (label, batch). A job that starts without a checkpoint reads from `offsets`, topic → partition →
    offset, or from the oldest record where that one is gone."""
    jvm: Any = get_gateway().jvm
    topics = [address.topic(name) for name in TOPICS]
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(address.bootstrap)
        .set_topics(*topics)
        .set_starting_offsets(_starts({address.topic(name): numbers for name, numbers in offsets.items()}))
    )
    for name, value in {"group.id": address.prefix + GROUP, **kafka_properties(address), **_CONSUMER}.items():
        source.set_property(name, value)
    source._j_builder.setDeserializer(jvm.martlet.RecordPacker(to_jarray(jvm.String, topics), KEY_LIMIT, VALUE_LIMIT))
    records: Any = env.from_source(source.build(), WatermarkStrategy.no_watermarks(), "log").uid("log")
    labels = to_jarray(jvm.int, list(labels_of(address.partitions)))
    batcher = jvm.martlet.LaneBatcher(labels, LONGEST_WAIT_MS * 1_000_000, LARGEST_BATCH)
    row_type: Any = Types.ROW([Types.INT(), BYTES])
    # What goes on is a batch already: it is flushed at once.
    batches = records._j_data_stream.transform("batches", row_type.get_java_type_info(), batcher)
    return DataStream(batches.uid("batches").setBufferTimeout(0))


def _starts(offsets: Mapping[str, Mapping[int, int]]) -> KafkaOffsetsInitializer:
    found = {
        KafkaTopicPartition(topic, number): offset
        for topic, numbers in offsets.items()
        for number, offset in numbers.items()
    }
    return KafkaOffsetsInitializer.offsets(found, KafkaOffsetResetStrategy.EARLIEST)
