"""The keys of the job's state: evenly spread, and never other ones."""

from collections import Counter

from features.keys import PARTITIONS
from streaming.lanes import LABELS, MAX_PARALLELISM, lane_of_item


def test_flink_spreads_the_lanes_evenly() -> None:
    """Asked of Flink's own function, in its own JVM, with the key as PyFlink makes it: a row of one number."""
    from pyflink.java_gateway import get_gateway

    gateway = get_gateway()
    runtime = gateway.jvm.org.apache.flink
    groups = []
    for label in LABELS:
        fields = gateway.new_array(gateway.jvm.Object, 1)
        fields[0] = label
        row = runtime.types.Row.of(fields)
        groups.append(runtime.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup(row, MAX_PARALLELISM))
    for parallelism in (1, 2, 4, 8):
        subtasks = Counter(group * parallelism // MAX_PARALLELISM for group in groups)
        assert subtasks == Counter(dict.fromkeys(range(parallelism), PARTITIONS // parallelism))


def test_the_labels_are_those_that_savepoints_hold() -> None:
    assert LABELS == (19, 4, 0, 14, 22, 8, 2, 6)


def test_items_spread_over_the_lanes_whatever_the_stride_of_their_ids() -> None:
    for stride in (1, 2, 8, 1000):
        lanes = Counter(lane_of_item(number * stride) for number in range(8000))
        assert set(lanes) == set(range(PARTITIONS))
        assert max(lanes.values()) < 2 * min(lanes.values())
    assert lane_of_item(2**63 - 1) in range(PARTITIONS)
