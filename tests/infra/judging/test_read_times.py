"""A partition counts as read up to now only if its broker has said so, not by what the consumer last knew of its end."""

from collections.abc import Collection
from typing import NamedTuple

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from infra.judging.read_times import ENDS_EVERY_MS, ReadTimes

SCORES, EVENTS = TopicPartition("scores", 0), TopicPartition("events", 0)
NOW = 1_000_000


class Taken(NamedTuple):
    timestamp: int


class FakeConsumer:
    """Stands at `positions` of a log that ends at `ends`; says of its own accord that there is nothing more."""

    def __init__(self, positions: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> None:
        self.positions, self.ends, self.error = positions, ends, Exception()
        self.requests = 0

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def position(self, part: TopicPartition, timeout_ms: int) -> int:
        return self.positions[part]

    def highwater(self, part: TopicPartition) -> int:
        return self.positions[part]

    def end_offsets(self, parts: Collection[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        self.requests += 1
        if isinstance(self.error, KafkaTimeoutError | KeyError):
            raise self.error
        return {part: self.ends[part] for part in parts}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def times(clock: Clock) -> ReadTimes:
    return ReadTimes(clock)


def test_an_act_that_was_not_fetched_yet_keeps_its_partition_from_being_read_up_to_now(times: ReadTimes) -> None:
    consumer = FakeConsumer({SCORES: 5, EVENTS: 3}, {SCORES: 5, EVENTS: 4})
    times.refresh(consumer)
    assert times.earliest(consumer, {SCORES: [Taken(NOW - 9)]}) == 0
    consumer.positions[EVENTS] = 4
    assert times.earliest(consumer, {EVENTS: [Taken(NOW - 9)]}) == NOW


def test_who_is_behind_has_read_up_to_the_newest_record(times: ReadTimes) -> None:
    consumer = FakeConsumer({SCORES: 5, EVENTS: 3}, {SCORES: 5, EVENTS: 400})
    times.refresh(consumer)
    assert times.earliest(consumer, {EVENTS: [Taken(7), Taken(8)]}) == 8


def test_the_ends_are_requested_now_and_then_and_the_time_is_that_of_the_request(
    times: ReadTimes, clock: Clock
) -> None:
    consumer = FakeConsumer({EVENTS: 3}, {EVENTS: 3})
    for each in (0, ENDS_EVERY_MS - 1):
        clock.now = NOW + each
        times.refresh(consumer)
        assert (times.earliest(consumer, {}), consumer.requests) == (NOW, 1)
    clock.now = NOW + ENDS_EVERY_MS
    times.refresh(consumer)
    assert (times.earliest(consumer, {}), consumer.requests) == (clock.now, 2)
    clock.now = NOW - 10 * ENDS_EVERY_MS  # the clock was set
    times.refresh(consumer)
    assert (times.earliest(consumer, {}), consumer.requests) == (clock.now, 3)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KafkaTimeoutError("late"), KafkaTimeoutError), (KeyError(EVENTS), UnknownTopicOrPartitionError)],
)
def test_while_the_broker_says_nothing_time_stands_still(
    times: ReadTimes, clock: Clock, error: Exception, raised: type[Exception]
) -> None:
    consumer = FakeConsumer({EVENTS: 3}, {EVENTS: 3})
    times.refresh(consumer)
    clock.now += 60_000
    consumer.error = error
    with pytest.raises(raised):
        times.refresh(consumer)
    assert times.earliest(consumer, {}) == NOW
