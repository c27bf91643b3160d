"""The keys of the job's state: evenly spread, and never other ones."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.keys import DEFAULT_PARTITIONS, MAX_PARTITIONS
from features.store.job_status import MAX_SUBTASKS
from streaming.lanes import MAX_PARALLELISM, Lanes, key_group_of, labels_of

NUMBERS = st.integers(1, MAX_PARTITIONS)


def lanes_by_subtask(lanes: int, parallelism: int) -> list[int]:
    subtasks = Counter(key_group_of(label) * parallelism // MAX_PARALLELISM for label in labels_of(lanes))
    return [subtasks[number] for number in range(parallelism)]


def test_the_key_groups_are_flinks() -> None:
    """Asked of Flink's own function, in its own JVM, with the key as PyFlink makes it: a row of one number."""
    from pyflink.java_gateway import get_gateway

    gateway = get_gateway()
    runtime = gateway.jvm.org.apache.flink
    assign = runtime.runtime.state.KeyGroupRangeAssignment
    for label in {*labels_of(MAX_PARTITIONS), *labels_of(DEFAULT_PARTITIONS), 10**5}:
        fields = gateway.new_array(gateway.jvm.Object, 1)
        fields[0] = label
        row = runtime.types.Row.of(fields)
        group = assign.assignToKeyGroup(row, MAX_PARALLELISM)
        assert key_group_of(label) == group
        for parallelism in (1, 2, 3, 8, 64):
            subtask = assign.computeOperatorIndexForKeyGroup(MAX_PARALLELISM, parallelism, group)
            assert subtask == group * parallelism // MAX_PARALLELISM


@given(NUMBERS, st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_a_power_of_two_of_subtasks_has_the_lanes_evenly(lanes: int, parallelism: int) -> None:
    counts = lanes_by_subtask(lanes, parallelism)
    if parallelism <= lanes:
        assert max(counts) - min(counts) == (1 if lanes % parallelism else 0)


@given(NUMBERS, st.integers(1, MAX_SUBTASKS))
def test_many_lanes_are_spread_nearly_evenly_over_any_number_of_subtasks(lanes: int, parallelism: int) -> None:
    counts = lanes_by_subtask(lanes, parallelism)
    assert sum(counts) == lanes
    if lanes >= 8 * parallelism:
        assert max(counts) <= 1.3 * lanes / parallelism


@given(NUMBERS)
def test_each_lane_has_a_label_of_its_own(number: int) -> None:
    lanes = Lanes(number)
    assert len(lanes) == len(set(lanes.labels)) == number
    assert [lanes.lane_of[label] for label in lanes.labels] == list(range(number))


@pytest.mark.parametrize(
    ("lanes", "labels"),
    [
        (8, (19, 4, 0, 14, 22, 8, 2, 6)),
        (64, (57, 89, 19, 220)),
        (256, (250, 336, 57, 163)),
    ],
)
def test_the_labels_are_those_that_savepoints_hold(lanes: int, labels: tuple[int, ...]) -> None:
    assert labels_of(lanes)[: len(labels)] == labels


@pytest.mark.parametrize("number", [1, 2, DEFAULT_PARTITIONS, 100, MAX_PARTITIONS])
def test_items_spread_over_the_lanes_whatever_the_stride_of_their_ids(number: int) -> None:
    lanes = Lanes(number)
    for stride in (1, 2, 8, 1000):
        counts = Counter(lanes.of_item(item_id * stride) for item_id in range(1000 * number))
        assert set(counts) == set(range(number))
        assert max(counts.values()) < 2 * min(counts.values())
    assert lanes.of_item(2**63 - 1) in range(number)


def test_items_of_eight_lanes_lie_where_checkpoints_have_them() -> None:
    items = [0, 1, 5, 2_000, -2, 2**63 - 1]
    assert list(map(Lanes(8).of_item, items)) == [item_id * 0x9E3779B97F4A7C15 % 2**64 >> 61 for item_id in items]


@given(NUMBERS)
def test_many_items_have_the_lanes_that_each_has(number: int) -> None:
    items = [0, 1, -2, 2**63 - 1, -(2**63), *range(10**12, 10**12 + 1000, 7)]
    lanes = Lanes(number)
    assert lanes.of_items(np.array(items)).tolist() == [lanes.of_item(item_id) for item_id in items]
