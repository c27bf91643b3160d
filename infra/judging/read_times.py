"""Up to when a log was read, by the time at which its broker was last heard."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from kafka import TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from features.types import Millis
from infra.judging.score_topic import KAFKA_MS
from infra.system.times import wall_ms

ENDS_EVERY_MS: Final = 1_000


class Record(Protocol):
    """Of a consumer. timestamp: when the broker took it, ms."""

    @property
    def timestamp(self) -> int: ...


class ReadTimes:
    """Up to when the partitions of a consumer were read.

    The high watermark that a consumer knows is that of the newest response which named the partition: where none comes, or a
    fetch is still on its way, there may be more to read. So the ends are requested every ENDS_EVERY_MS: a partition that was
    read up to its end was read up to the time of the request.
    """

    def __init__(self, clock: Callable[[], Millis] = wall_ms) -> None:
        self._clock = clock
        self._requested: Millis = 0
        self._ends: dict[TopicPartition, int] = {}

    def refresh(self, consumer: Any) -> None:
        """Request the ends, if it is time. Raises KafkaError."""
        now = self._clock()
        if self._ends and abs(now - self._requested) < ENDS_EVERY_MS:
            return
        try:
            self._ends = consumer.end_offsets(consumer.assignment(), timeout_ms=KAFKA_MS)
        except KeyError as error:  # so kafka-python has it where a topic is unknown
            raise UnknownTopicOrPartitionError(str(error)) from error
        self._requested = now

    def earliest(self, consumer: Any, polled: Mapping[TopicPartition, Sequence[Record]]) -> Millis:
        """Returns the time up to which all partitions were read, with these records as the newest. Raises KafkaError."""
        return min(self._of(consumer, part, polled.get(part, ())) for part in self._ends)

    def _of(self, consumer: Any, part: TopicPartition, records: Sequence[Record]) -> Millis:
        """That of the request at the end, else of the newest record; 0 where that is not known."""
        position = consumer.position(part, timeout_ms=KAFKA_MS)
        if position is not None and position >= self._ends[part]:
            return self._requested
        return records[-1].timestamp if records else 0
