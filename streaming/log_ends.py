"""Where the log ends now. A lane that has read a topic that far has none of its records on the way."""

from collections.abc import Iterable
from typing import Final, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from features.engines.kafka_address import KafkaAddress
from features.engines.kafka_consumer import open_consumer
from features.errors import Unavailable
from features.keys import EVENTS, SERVED
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC

TIMEOUT_MS: Final = 1500
"""The longest time of each of three waits: for a connection, for an answer, and for the end of a connection that failed."""
_TOPICS: Final = {EVENTS_TOPIC: EVENTS, SERVED_TOPIC: SERVED}

Ends = dict[tuple[int, int], int]
"""(number of the topic, partition) → offset after its newest record."""


class LogEnds(Protocol):
    """The ends of the log's topics."""

    def read(self, partitions: Iterable[int]) -> Ends:
        """Returns the ends of these partitions of both topics. Raises Unavailable."""
        ...

    def close(self) -> None: ...


class KafkaLogEnds:
    """The ends in Kafka; the connection is opened when it is first needed, and again after a failure."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._consumer: KafkaConsumer | None = None

    def read(self, partitions: Iterable[int]) -> Ends:
        """Returns the ends of these partitions of both topics. Raises Unavailable where the broker does not answer in time."""
        parts = {
            TopicPartition(self._address.topic(name), each): (topic, each)
            for each in partitions
            for topic, name in _TOPICS.items()
        }
        try:
            if self._consumer is None:
                self._consumer = open_consumer(
                    self._address, request_timeout_ms=TIMEOUT_MS, bootstrap_timeout_ms=TIMEOUT_MS
                )
            ends = self._consumer.end_offsets(list(parts))
        except KafkaError as error:
            self.close()
            raise Unavailable(f"the ends of topics {', '.join(_TOPICS.values())}: {error!r}") from error
        return {parts[part]: end for part, end in ends.items()}

    def close(self) -> None:
        """Close the connection, if there is one."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()
