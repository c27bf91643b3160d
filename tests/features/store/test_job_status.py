"""The job's own numbers: written and read by the same names."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import Broken
from features.store.job_status import (
    SERVED_VERDICTS,
    VERDICTS,
    Lane,
    fresh_key,
    lane_fields,
    lane_key,
    lane_keys,
    read_lane,
    read_lanes,
)

lanes = st.builds(Lane, **{field.name: st.integers(0, 2**62) for field in msgspec.structs.fields(Lane)})


def stored(fields: dict[str, int]) -> dict[bytes, bytes]:
    return {key.encode(): str(value).encode() for key, value in fields.items()}


@given(lanes)
def test_a_lane_comes_back_from_its_hash(lane: Lane) -> None:
    assert read_lane(3, stored(lane_fields(lane))) == lane


def test_the_names_are_the_contract() -> None:
    assert lane_key(7) == "job:7"
    assert fresh_key("users", 1) == "job:fresh:users:1"
    assert set(lane_fields(Lane(generation=1, next_offset=0))) == {
        "g", "n", "s", "read", *VERDICTS, "served_read", *(f"served_{verdict}" for verdict in SERVED_VERDICTS),
        "w", "b", "lists", "samples", "early", "unmatched", "items_lost",
    }  # fmt: skip


def test_a_lane_that_is_not_there_is_none_and_a_younger_jobs_fields_are_ignored() -> None:
    assert read_lane(0, {}) is None
    assert lane_keys(3) == ["job:0", "job:1", "job:2"]
    old, new = stored({"g": 1, "n": 4}), stored({"g": 2, "n": 9})
    assert list(read_lanes([old, {}, new])) == [0, 2]
    assert read_lanes([old, {}, new], generation=2) == {2: Lane(generation=2, next_offset=9)}
    assert read_lane(0, {b"g": b"2", b"n": b"9", b"news": b"x"}) == Lane(generation=2, next_offset=9)


@pytest.mark.parametrize("fields", [{b"g": b"1"}, {b"g": b"1", b"n": b"many"}, {b"g": b"1", b"n": b"\xff"}])
def test_what_is_no_lane_is_named(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(Broken, match="job:4"):
        read_lane(4, fields)


def test_balance_means_one_verdict_a_record() -> None:
    even = Lane(generation=1, next_offset=9, read=9, applied=3, duplicate=2, late=1, rejected=2, rerouted=1)
    assert even.balanced
    assert not msgspec.structs.replace(even, applied=4).balanced
    assert not msgspec.structs.replace(even, served_read=1).balanced
    assert msgspec.structs.replace(even, served_read=1, served_late=1).balanced


def test_of_two_sights_the_one_with_more_records_or_a_later_generation_is_newer() -> None:
    lane = Lane(generation=1, next_offset=9, read=9, served_read=2)
    assert msgspec.structs.replace(lane, served_read=3).progress > lane.progress
    assert msgspec.structs.replace(lane, generation=2, read=0, served_read=0).progress > lane.progress
