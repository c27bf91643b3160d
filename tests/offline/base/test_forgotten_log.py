"""Who wanted to be forgotten is read from the log, each record once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from features.contracts.samples import Forgotten, write_forgotten, write_sample
from features.keys import SAMPLES
from offline.base.forgotten_log import take_forgotten
from offline.base.forgotten_users import EVER, read_forgotten
from offline.base.kafka_log import Record, Span


@dataclass
class Samples:
    """The topic `samples`. first: offset of the oldest record of each partition; read_from: where reading began; events: the
    topic `events`."""

    values: list[list[bytes]]
    first: int = 0
    read_from: list[int] = field(default_factory=list)
    events: list[list[bytes]] = field(default_factory=list)

    def spans(self, topic: str) -> list[Span]:
        values, first = (self.values, self.first) if topic == SAMPLES else (self.events, 0)
        return [Span(topic, part, first, len(records)) for part, records in enumerate(values)]

    def read(self, span: Span) -> Iterator[Record]:
        if span.topic == SAMPLES:
            self.read_from.append(span.start)
        values = self.values if span.topic == SAMPLES else self.events
        for offset in range(span.start, span.end):
            yield Record(offset, 0, None, values[span.partition][offset])


def sample(user: int) -> bytes:
    return write_sample(f"r{user}", user, 0, 0, [], 9)


def test_it_is_read_on_where_it_was_and_the_later_wish_of_a_user_counts(tmp_path: Path) -> None:
    log = Samples([[sample(1), write_forgotten("Ada", 50, 40)], [b"{no json", b'{"forgotten_ts": "x"}', sample(3)]])
    assert dict(take_forgotten(tmp_path, log).users) == {"Ada": 40}
    log.values[0] += [write_forgotten("Ada", 90, 80), write_forgotten(7, 91, 81), write_forgotten("Ada", 92, 70)]
    log.read_from.clear()
    taken = take_forgotten(tmp_path, log)
    assert log.read_from == [2, 3]
    assert dict(taken.users) == {"Ada": 80, 7: 81}
    assert read_forgotten(tmp_path) == taken
    assert dict(taken.offsets) == {0: 5, 1: 3}


def test_a_record_of_before_that_says_no_time_forgets_all(tmp_path: Path) -> None:
    old = msgspec.json.encode(Forgotten(user_id=4, forgotten_ts=9))
    assert b"until" not in old
    assert take_forgotten(tmp_path, Samples([[old]])).users == ((4, EVER),)


def test_a_log_that_is_another_one_is_read_from_its_first_record(tmp_path: Path) -> None:
    take_forgotten(tmp_path, Samples([[sample(1)] * 9]))
    shorter = Samples([[write_forgotten(5, 2, 1)]])
    assert take_forgotten(tmp_path, shorter).users == ((5, 1),)
    cut = Samples([[b"gone"] * 4 + [write_forgotten(6, 4, 3)]], first=4)
    assert take_forgotten(tmp_path, cut).users == ((5, 1), (6, 3))


def act(kind: str, user: int | str, ts: int) -> bytes:
    return json.dumps({"event_id": f"{kind}-{ts}", "type": kind, "user_id": user, "item_id": 1, "ts": ts}).encode()


EVENTS = [
    [act("click", 7, 30), act("click", "Ada", 20), act("forget_user", "7", 25), act("click", 7, 90)],
    [b"{no json", b"[" * 100_000, act("forget_user", "", 3), b'{"forget_user": 1}', act("forget_user", "Bo", 40)],
]


@pytest.mark.parametrize("noted", [False, True], ids=["never read", "read once"])
def test_wishes_that_were_deleted_unread_are_taken_from_the_events(tmp_path: Path, noted: bool) -> None:
    if noted:
        take_forgotten(tmp_path, Samples([[sample(1)] * 2], events=EVENTS))
    cut = Samples([[b"gone"] * 4 + [sample(2)]], first=4, events=EVENTS)
    assert dict(take_forgotten(tmp_path, cut).users) == {7: 30, "Bo": 40}
    cut.events = []
    assert dict(take_forgotten(tmp_path, cut).users) == {7: 30, "Bo": 40}, (
        "all was read: the events are not wanted again"
    )


def test_where_nothing_was_deleted_unread_events_are_not_read(tmp_path: Path) -> None:
    assert take_forgotten(tmp_path, Samples([[sample(1)] * 4], events=EVENTS)).users == ()
    cut = Samples([[b"gone"] * 4 + [sample(2)]], first=4, events=EVENTS)
    assert take_forgotten(tmp_path, cut).users == ()
