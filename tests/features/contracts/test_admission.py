"""The one rule by which a record is its user's event, is rejected, or lies wrong."""

from collections.abc import Callable

import pytest

from features.contracts.admission import Admission, Marked, Misplaced, key_text
from features.contracts.catalogue_mark import write_mark
from features.contracts.events import EVENT_LIMIT, write_event
from features.contracts.served import ServedHead, write_head
from features.errors import BadEvent
from features.keys import DEFAULT_PARTITIONS, partition_of
from features.types import LIKE, Event
from tests.schemas import MOVIES

USER = 7
HOME = partition_of(USER, DEFAULT_PARTITIONS)
NOW = 1_000_000_000_000
RULE = Admission(MOVIES, DEFAULT_PARTITIONS)
GOOD = write_event(Event("a", LIKE, USER, 1, 0, "", 1000), MOVIES)


def a_list(ts: int) -> bytes:
    return write_head("r", USER, ts, [1], {}, None)


def test_an_event_in_its_place_is_its_users() -> None:
    assert RULE.admit(GOOD, "7", HOME, NOW, NOW).event_id == "a"
    assert RULE.admit_list(a_list(1000), "7", HOME, NOW, NOW).request_id == "r"


@pytest.mark.parametrize(("key", "away"), [("8", 0), ("7", 1), ("", 0), ("07", 0), ("x", 3)])
def test_a_good_event_under_another_key_or_in_another_partition_is_misplaced(key: str, away: int) -> None:
    with pytest.raises(Misplaced) as caught:
        RULE.admit(GOOD, key, (HOME + away) % DEFAULT_PARTITIONS, NOW, NOW)
    assert caught.value.event.event_id == "a"
    assert caught.value.key == "7"


def test_an_event_of_a_user_with_a_name_lies_under_that_name() -> None:
    name = "Zoë 🧦/商"
    event = Event("a", LIKE, MOVIES.ids.inside(name), MOVIES.ids.inside("SKU-1"), 0, "", 1000, user=name, item="SKU-1")
    value = write_event(event, MOVIES)
    assert RULE.admit(value, name, partition_of(name, DEFAULT_PARTITIONS), NOW, NOW) == event
    for key, partition in (
        (str(event.user_id), partition_of(name, DEFAULT_PARTITIONS)),
        (name, (partition_of(name, DEFAULT_PARTITIONS) + 1) % DEFAULT_PARTITIONS),
    ):
        with pytest.raises(Misplaced) as caught:
            RULE.admit(value, key, partition, NOW, NOW)
        assert caught.value.key == name
    assert RULE.user_of_key(name, partition_of(name, DEFAULT_PARTITIONS)) == event.user_id


@pytest.mark.parametrize(("key", "away"), [("8", 0), ("7", 1), ("", 0)])
def test_a_list_in_the_wrong_place_is_refused(key: str, away: int) -> None:
    with pytest.raises(BadEvent, match="user_id"):
        RULE.admit_list(a_list(1000), key, (HOME + away) % DEFAULT_PARTITIONS, NOW, NOW)


def an_event(ts: int) -> Event:
    return RULE.admit(write_event(Event("a", LIKE, USER, 1, 0, "", ts), MOVIES), "7", HOME, NOW, NOW)


def the_head(ts: int) -> ServedHead:
    return RULE.admit_list(a_list(ts), "7", HOME, NOW, NOW)


@pytest.mark.parametrize("admitted", [an_event, the_head])
def test_what_comes_from_the_future_is_refused(admitted: Callable[[int], Event | ServedHead]) -> None:
    assert admitted(NOW).ts == NOW
    with pytest.raises(BadEvent, match="wall time"):
        admitted(NOW + 61_000)


@pytest.mark.parametrize(
    ("key", "away", "user"),
    [
        ("7", 0, 7),
        ("7", 1, None),
        ("", 0, None),
        ("a\nb", 0, None),
        ("x" * 129, 0, None),
        ("07", 0, MOVIES.ids.inside("07")),
        ("-7", 0, MOVIES.ids.inside("-7")),
        ("anna", 0, MOVIES.ids.inside("anna")),
        ("anna", 1, None),
    ],
)
def test_whose_a_record_is_by_its_key(key: str, away: int, user: int | None) -> None:
    assert RULE.user_of_key(key, (partition_of(key, DEFAULT_PARTITIONS) + away) % DEFAULT_PARTITIONS) == user


@pytest.mark.parametrize(
    "value", [b"\xff", b"[" * 100_000, b'{"type":"catalogue"}', b'{"type":"catalogue","items":-1}', b"7"]
)
def test_what_is_neither_event_nor_mark_is_refused(value: bytes) -> None:
    with pytest.raises(BadEvent):
        RULE.admit(value, "7", HOME, NOW, NOW)


def test_a_record_of_more_bytes_than_an_event_is_neither_event_nor_mark() -> None:
    for value in (GOOD, write_mark(0)):
        with pytest.raises(BadEvent, match=f"event: expected at most {EVENT_LIMIT} bytes, got more"):
            RULE.admit(value + b" " * (EVENT_LIMIT + 1 - len(value)), "7", HOME, NOW, NOW)
    assert RULE.admit(GOOD + b" " * (EVENT_LIMIT - len(GOOD)), "7", HOME, NOW, NOW).event_id == "a"


def test_how_the_log_is_divided_says_where_a_record_belongs() -> None:
    for partitions in (1, 5, 64, 256):
        rule, part = Admission(MOVIES, partitions), partition_of(USER, partitions)
        assert rule.admit(GOOD, "7", part, NOW, NOW).event_id == "a"
        assert rule.admit_list(a_list(1000), "7", part, NOW, NOW).request_id == "r"
        assert rule.user_of_key("7", part) == USER
        assert [number for number in range(partitions) if rule.user_of_key("7", number) is not None] == [part]


def test_a_mark_holds_wherever_it_lies() -> None:
    for key, partition in (("", 3), ("7", HOME)):
        with pytest.raises(Marked) as caught:
            RULE.admit(write_mark(12), key, partition, NOW, NOW)
        assert caught.value.version == 12


@pytest.mark.parametrize(("key", "text"), [(None, ""), (b"", ""), (b"\xff", ""), (b"7", "7"), ("Zoë".encode(), "Zoë")])
def test_a_key_as_text(key: bytes | None, text: str) -> None:
    assert key_text(key) == text
