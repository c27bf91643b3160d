"""What the kernel's reader makes of a record is what admission makes of it, or nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clock import Clock
from features.contracts.admission import Admission, Marked, Misplaced
from features.contracts.events import CLOCK_SLACK_MS, EVENT_LIMIT, FUTURE_SLACK_MS, write_event
from features.errors import BadEvent
from features.kernel.users.plain_reader import PlainReader, plain_event
from features.kernel.users.row_types import LATEST
from features.keys import DEFAULT_PARTITIONS, MAX_PARTITIONS, partition_of
from features.schema.tables import Schema
from features.types import MAX_ID, Event
from tests.features.strategies import events
from tests.schemas import MOVIES, SHOP, peopled

NOW = 1_700_000_000_000
CLOCKS = (Clock(NOW, NOW - 5), Clock(NOW - 10**9, NOW), Clock(0, None), Clock(NOW + 10**12, None))
SCHEMAS = (MOVIES, SHOP, peopled("shop"), peopled("news"))
TEXTS = st.sampled_from(["", "x", "SKU-1", "7", "007", "Zoë", "Zoe\u0308", "\udcff", "x" * 64, "x" * 129])
NUMBERS = st.sampled_from([-1, 0, 1, 7, MAX_ID, MAX_ID + 1, LATEST, LATEST + 1, 1.5, True, None])
TIMES = st.builds(
    int.__add__,
    st.sampled_from([0, NOW, NOW + FUTURE_SLACK_MS, NOW + CLOCK_SLACK_MS, NOW - 10**9 + CLOCK_SLACK_MS]),
    st.integers(-1, 1),
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "event_id": TEXTS | NUMBERS,
    "type": st.sampled_from(["rating", "like", "view", "click", "purchase", "undo", "profile", "forget_user", "?"]),
    "user_id": TEXTS | NUMBERS,
    "item_id": TEXTS | NUMBERS,
    "ts": TIMES | NUMBERS,
    "rating": st.sampled_from([0.5, 3, 4.005, 5, 5.5, 0, None, "4"]),
    "value": st.sampled_from([0, 1, 19.995, 1e9, -1, None, "4"]),
    "request_id": TEXTS | NUMBERS,
    "position": TEXTS | NUMBERS,
    "target": TEXTS,
    "attributes": st.sampled_from([{}, {"plan": "paid"}, 1]),
    "context": st.sampled_from([{}, {"hour": 3}, {"hour": "x"}, None]),
    "unknown": st.sampled_from([1, [[]], {"a": {}}]),
}
GOOD = {"event_id": "x", "type": "rating", "user_id": 6, "item_id": 3, "rating": 4.5, "ts": NOW}


def same_or_left(
    value: bytes,
    key: str,
    partition: int,
    schema: Schema,
    clock: Clock,
    broker_ts: int = NOW,
    partitions: int = DEFAULT_PARTITIONS,
) -> bool:
    """Assert that what is read is what is admitted; whether anything was."""
    plain = PlainReader(schema, clock, partitions).read(value, key, partition, broker_ts)
    if plain is None:
        return False
    assert plain == plain_event(
        Admission(schema, partitions).admit(value, key, partition, broker_ts, clock.at(broker_ts))
    )
    return True


@given(
    st.fixed_dictionaries({}, optional=FIELDS),
    st.sets(st.sampled_from(list(GOOD))),
    st.sampled_from(SCHEMAS),
    st.sampled_from(CLOCKS),
    st.booleans(),
    st.sampled_from(["6", "7", "x", ""]),
)
def test_what_is_read_is_what_is_admitted(
    changes: dict[str, Any], left_out: set[str], schema: Schema, clock: Clock, escaped: bool, other_key: str
) -> None:
    fields = {name: value for name, value in (GOOD | changes).items() if name in changes or name not in left_out}
    text = json.dumps(fields, ensure_ascii=escaped)
    value = text.encode("utf-8", "surrogatepass")
    user = str(fields.get("user_id"))
    for key in (user, other_key):
        partition = partition_of(key.encode("utf-8", "replace").decode(), DEFAULT_PARTITIONS)
        same_or_left(value, key, partition, schema, clock)
        same_or_left(value, key, partition + 1, schema, clock)


@given(events(), st.sampled_from(CLOCKS))
def test_all_that_is_plain_is_read(event: Event, clock: Clock) -> None:
    """But for what stands in fields that a plain event has not."""
    value, key = write_event(event, MOVIES), str(event.outer_user)
    try:
        rule = Admission(MOVIES, DEFAULT_PARTITIONS)
        admitted = rule.admit(value, key, partition_of(key, DEFAULT_PARTITIONS), NOW, clock.at(NOW))
    except (BadEvent, Misplaced, Marked):
        admitted = None
    is_plain = admitted is not None and not event.target and event.item_id >= 0 and event.ts <= LATEST
    assert same_or_left(value, key, partition_of(key, DEFAULT_PARTITIONS), MOVIES, clock) >= is_plain


@pytest.mark.parametrize(
    ("changes", "is_read"),
    [
        ({}, True),
        ({"request_id": "r", "position": 3}, True),
        ({"user_id": "Zoë"}, True),
        ({"context": {"hour": 3}}, False),
        ({"new": 1}, False),
        ({"rating": 5.5}, False),
        ({"value": 1.0}, False),
        ({"ts": LATEST + 1}, False),
        ({"ts": NOW + FUTURE_SLACK_MS}, True),
        ({"ts": NOW + FUTURE_SLACK_MS + 1}, False),
    ],
)
def test_what_is_plain(changes: dict[str, Any], is_read: bool) -> None:
    fields = GOOD | changes
    key = str(fields["user_id"])
    assert (
        same_or_left(json.dumps(fields).encode(), key, partition_of(key, DEFAULT_PARTITIONS), MOVIES, Clock(LATEST, 0))
        == is_read
    )


@pytest.mark.parametrize(("size", "is_read"), [(EVENT_LIMIT, True), (EVENT_LIMIT + 1, False)])
def test_what_has_more_bytes_than_an_event_is_not_read(size: int, is_read: bool) -> None:
    value, place = json.dumps(GOOD).encode().ljust(size), partition_of("6", DEFAULT_PARTITIONS)
    assert (
        PlainReader(MOVIES, Clock(LATEST, 0), DEFAULT_PARTITIONS).read(value, "6", place, NOW) is not None
    ) == is_read


@given(st.integers(0, 1000), st.integers(1, MAX_PARTITIONS))
def test_a_plain_event_is_read_in_its_users_partition_alone(user: int, partitions: int) -> None:
    value, right = json.dumps(GOOD | {"user_id": user}).encode(), partition_of(user, partitions)
    for partition in {right, (right + 1) % partitions, (right + 8) % partitions}:
        is_read = same_or_left(value, str(user), partition, MOVIES, Clock(LATEST, 0), partitions=partitions)
        assert is_read == (partition == right)
