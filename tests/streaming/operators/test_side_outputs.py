"""Records that no sink takes as they are: rejected by their beginning, once, and counted as verify counts them."""

from hashlib import sha256

import pytest

from features.base.reader import Base
from features.contracts.catalogue_mark import write_mark
from features.contracts.events import EVENT_LIMIT, write_event
from features.keys import EVENTS, SERVED, user_key
from features.types import LIKE, Event
from infra.services.kafka_topics import EVENT_BATCH, REJECT_BATCH
from infra.verify.recompute import Recomputer
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC, Record
from streaming.operators.side_outputs import CUT_AT, REASON_LIMIT
from tests.offline.small_log import START
from tests.schemas import MOVIES
from tests.streaming.bench import LANE, USER, Bench

OVERHEAD = 4096
"""Bytes that a producer adds to a record, at most: its headers and those of its batch."""


def an_event(name: str, size: int) -> bytes:
    """An event of so many bytes, of which most stand in a field that is not known."""
    short = write_event(Event(name, LIKE, USER, 5, 0, "", START), MOVIES)[:-1] + b',"note":""}'
    return short[:-2] + b"y" * (size - len(short)) + short[-2:]


def refused(bench: Bench) -> list[tuple[str, bytes, str]]:
    """Offset, value and reason of each reject."""
    return [(row["off"], row["v"].encode("latin-1"), row["reason"]) for row in bench.job.outputs["rejected"]]


def large(bench: Bench) -> list[Record]:
    """Records between two good ones: garbage, events with and without a key, a mark, a list, all larger than an event."""
    event = an_event("large", EVENT_LIMIT + 1)
    return [
        bench.event("before", LIKE),
        bench.record(EVENTS_TOPIC, b"x" * (40 << 20)),
        bench.record(EVENTS_TOPIC, event),
        bench.record(EVENTS_TOPIC, event, key=None),
        bench.record(EVENTS_TOPIC, write_mark(0) + b" " * EVENT_LIMIT, key=None),
        bench.record(SERVED_TOPIC, b"[" * (5 << 20)),
        bench.event("after", LIKE),
    ]


def test_a_record_larger_than_any_event_is_rejected_by_its_beginning_and_its_neighbours_are_applied(
    bench: Bench, small_base: Base
) -> None:
    records = large(bench)
    bench.feed(*records)
    bench.job.advance(1.0)
    poison = records[1:-1]
    assert bench.job.outputs["rerouted"] == []
    for record, (offset, value, reason) in zip(poison, refused(bench), strict=True):
        topic = EVENTS if record.topic == EVENTS_TOPIC else SERVED
        assert (offset, value) == (str(record.offset), record.value[:CUT_AT])
        assert reason == (
            f"{topic}: expected at most {EVENT_LIMIT} bytes, got {len(record.value)}: cut after {CUT_AT}, "
            f"SHA-256 of all {sha256(record.value).hexdigest()}"
        )
    lane, recomputer = bench.lane(), Recomputer(small_base, bench.job.settings)
    assert (lane.applied, lane.rejected, lane.served_rejected, lane.rerouted, lane.marks) == (2, 4, 1, 0, 0)
    for each in records:
        topic = EVENTS if each.topic == EVENTS_TOPIC else SERVED
        key = None if each.key is None else each.key.encode()
        recomputer.feed(topic, each.partition, each.offset, each.broker_ts, key, each.value)
    expected = recomputer.expected
    assert expected.ledgers[LANE] == {"read": 6, "applied": 2, "rejected": 4}
    assert expected.list_ledgers[LANE] == {"read": 1, "rejected": 1}
    assert bench.offset() == str(expected.next_offsets[USER]).encode()


@pytest.mark.parametrize("key", [None, "k" * (5 << 20)])
def test_the_largest_event_goes_where_it_belongs_whatever_its_key(bench: Bench, key: str | None) -> None:
    value = an_event("e", EVENT_LIMIT)
    bench.feed(bench.record(EVENTS_TOPIC, value), bench.record(EVENTS_TOPIC, value, key=key))
    (row,) = bench.job.outputs["rerouted"]
    assert (row["k"], row["v"].encode("latin-1")) == (str(USER), value)
    assert bench.client.exists(user_key(USER))
    assert len(row["v"]) + 4 * 128 + OVERHEAD <= EVENT_BATCH


def test_a_reject_is_no_larger_than_its_topic_allows(bench: Bench) -> None:
    key = "\x00" * (5 << 20)
    bench.feed(
        bench.record(EVENTS_TOPIC, b"\xff" * EVENT_LIMIT, key=key),
        bench.record(SERVED_TOPIC, bench.shown("r").value, key=key),
    )
    for row in bench.job.outputs["rejected"]:
        key_bytes, value = row["k"].encode("latin-1"), row["v"].encode("latin-1")
        assert key_bytes == b"\x00" * len(key_bytes)
        assert len(row["reason"]) <= REASON_LIMIT
        assert len(key_bytes) + len(value) + 4 * REASON_LIMIT + OVERHEAD <= REJECT_BATCH
    assert [len(row["v"]) for row in bench.job.outputs["rejected"]] == [EVENT_LIMIT, len(bench.shown("r").value)]
