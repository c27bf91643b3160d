"""What users did lately: in the order of time, of each user so many, and nothing that came after the newest list was shown."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from features.clock import Clock
from features.contracts.admission import Admission
from features.contracts.events import write_event
from features.inputs.history import mark_of
from features.keys import partitioner
from features.types import FORGET_USER, NO_ID, RATING, UNDO, Event, Millis
from offline.base.kafka_log import Record, Span
from offline.training_data.newest_acts import ACTS, ACTS_OF_USER, Act, act_of_row, newest_acts, sequences_of
from tests.schemas import MOVIES

START = 1_000_000


def rated(user: int, item: int, stars: int, ts: int, number: int) -> Act:
    return Act(user, item, RATING, 100 * stars, ts, number)


def test_acts_stand_in_the_order_of_time_and_ties_in_that_of_the_log() -> None:
    acts = [
        rated(1, 10, 5, START + 2, 0),
        rated(2, 11, 1, START, 1),
        rated(1, 12, 4, START, 2),
        rated(1, 13, 2, START, 3),
    ]
    found = sequences_of(acts, MOVIES, MOVIES.weight(RATING, 500) / 2)
    assert found.left_out == 0
    assert [row[:3] for row in found.rows] == [(1, [2, 3, 0], [12, 13, 10]), (2, [1], [11])]
    marks, times, importances = found.rows[0][3:]
    assert marks == [mark_of(RATING, centi) for centi in (400, 200, 500)]
    assert times == [START, START, START + 2]
    assert importances == pytest.approx([2 * MOVIES.weight(RATING, 400) / MOVIES.weight(RATING, 500), 0, 2])


def test_of_one_user_the_newest_count_and_what_is_left_out_is_counted() -> None:
    bot = [rated(1, 10 + number, 5, START + number, number) for number in range(1_000)]
    found = sequences_of([*bot, rated(2, 7, 5, START, 1_000)], MOVIES, 1.0)
    assert (len(found.rows), found.left_out) == (2, 1_000 - ACTS_OF_USER)
    assert found.rows[0][2] == [10 + number for number in range(1_000 - ACTS_OF_USER, 1_000)]


PARTITIONS = 2
partition_of = partitioner(PARTITIONS)
WALL = Clock(0, None)


@dataclass
class Listed:
    """A log of these events, each taken by the broker a second after the one before."""

    events: list[Event]

    def of(self, partition: int) -> list[tuple[Millis, Event]]:
        taken = [(START + 1000 * number, event) for number, event in enumerate(self.events)]
        return [(ts, event) for ts, event in taken if partition_of(str(event.user_id)) == partition]

    def spans(self, topic: str, partitions: int | None = None, until: Millis | None = None) -> list[Span]:
        assert until is not None
        ends = [sum(ts <= until for ts, _ in self.of(partition)) for partition in range(PARTITIONS)]
        return [Span(topic, partition, 0, end) for partition, end in enumerate(ends)]

    def read(self, span: Span) -> Iterator[Record]:
        for offset, (ts, event) in list(enumerate(self.of(span.partition)))[span.start : span.end]:
            yield Record(offset, ts, str(event.user_id).encode(), write_event(event, MOVIES))


def event(name: str, user: int, item: int, kind: int = RATING, target: str = "") -> Event:
    return Event(name, kind, user, item, 400 if kind == RATING else 0, target, START)


def found_in(events: list[Event], until: Millis = START + 10**9) -> list[tuple[int, int]]:
    acts = newest_acts(Admission(MOVIES, PARTITIONS), lambda item_id: item_id < 90, Listed(events), WALL, until)
    return sorted((act.user_id, act.item_id) for act in acts)


def test_each_event_that_stands_is_found_once() -> None:
    events = [
        event("a", 1, 10), event("a", 1, 10), event("b", 1, 11), event("c", 2, 12), event("d", 3, 13), event("e", 2, 99),
        event("u", 1, NO_ID, UNDO, "b"), event("f", 3, NO_ID, FORGET_USER), event("g", 3, 14),
    ]  # fmt: skip
    assert found_in(events) == [(1, 10), (2, 12), (3, 14)]


def test_what_came_after_the_newest_list_was_shown_is_not_learned_yet() -> None:
    events = [event(str(number), 1 + number % 5, 10 + number) for number in range(20)]
    assert found_in(events, START + 7_000) == sorted((1 + number % 5, 10 + number) for number in range(8))


def test_of_each_partition_the_newest_are_found() -> None:
    events = [event(str(number), 1 + number % 9, 10 + number % 80) for number in range(2 * ACTS)]
    found = found_in(events)
    assert len(found) == ACTS
    assert {partition_of(str(user)) for user, _ in found} == {0, 1}


def test_a_row_of_a_data_set_is_an_act() -> None:
    assert act_of_row(7, (1, 10, RATING, 400, START, "1", "10", "")) == Act(1, 10, RATING, 400, START, 7)
