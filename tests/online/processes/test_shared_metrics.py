"""Metrics over processes: counters and histograms add up and never go back, gauges are those of who lives."""

import os
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from online.processes.shared_metrics import Family, Published, SharedMetrics, merged
from online.support.metrics import ITEMS_FRESH, name_of


class Process:
    """One process with metrics of its own."""

    def __init__(self, folder: Path | None, number: int) -> None:
        registry = CollectorRegistry()
        self.calls = Counter("calls_total", "Calls.", ["route"], registry=registry)
        self.seconds = Histogram("seconds", "Seconds.", buckets=(0.1, 1), registry=registry)
        self.streams = Gauge("streams", "Streams.", registry=registry)
        self.fresh = Gauge(name_of(ITEMS_FRESH), "Fresh.", registry=registry)
        self.shared = SharedMetrics(registry, folder, number)

    def values(self) -> dict[str, float]:
        return {
            f"{each.name} {' '.join(each.labels.values())}".strip(): each.value
            for family in self.shared.collect()
            for each in family.samples
            if not each.name.endswith("_created")
        }


def test_any_process_shows_the_sum(tmp_path: Path) -> None:
    one, other = Process(tmp_path, 1), Process(tmp_path, 2)
    one.calls.labels("a").inc(3)
    other.calls.labels("a").inc(4)
    other.calls.labels("b").inc()
    for process, seconds in ((one, 0.05), (other, 0.5), (other, 5)):
        process.seconds.observe(seconds)
        process.streams.inc()
        process.fresh.set(process is one)
    for each in (one, other):
        each.shared.publish_now()
    for each in (one, other):
        values = each.values()
        assert (values["calls_total a"], values["calls_total b"]) == (7, 1)
        assert [values[f"seconds_bucket {bound}"] for bound in ("0.1", "1.0", "+Inf")] == [1, 2, 3]
        assert values["seconds_sum"] == pytest.approx(5.55)
        assert values["streams"] == 3
        assert values[name_of(ITEMS_FRESH)] == 0  # of one of them items are not fresh


def test_a_process_that_is_restarted_goes_on_where_it_was(tmp_path: Path) -> None:
    before, other = Process(tmp_path, 1), Process(tmp_path, 2)
    before.calls.labels("a").inc(3)
    before.streams.inc(2)
    before.shared.publish_now()
    again = Process(tmp_path, 1)
    again.calls.labels("a").inc()
    for _ in range(2):  # what was published before is counted once
        again.shared.publish_now()
    assert again.values()["calls_total a"] == other.values()["calls_total a"] == 4
    assert other.values()["streams"] == 0


def test_gauges_of_one_that_is_away_are_left_out_and_its_counts_stay(tmp_path: Path) -> None:
    one = Process(tmp_path, 1)
    one.calls.labels("a").inc()
    calls = Family("calls", "counter", "", [("calls_total", {"route": "a"}, 5)])
    streams = Family("streams", "gauge", "", [("streams", {}, 9)])
    (tmp_path / "metrics-2.msgpack").write_bytes(msgspec.msgpack.encode(Published(time.time() - 60, [calls, streams])))
    assert (one.values()["calls_total a"], one.values()["streams"]) == (6, 0)


def test_a_file_that_is_cut_is_left_out(tmp_path: Path) -> None:
    one, other = Process(tmp_path, 1), Process(tmp_path, 2)
    one.calls.labels("a").inc()
    other.shared.publish_now()
    path = tmp_path / "metrics-2.msgpack"
    os.truncate(path, path.stat().st_size // 2)
    assert one.values()["calls_total a"] == 1
    assert SharedMetrics(CollectorRegistry(), tmp_path, 2).collect() == []


def test_a_process_alone_shows_its_own() -> None:
    alone = Process(None, 1)
    alone.calls.labels("a").inc(2)
    alone.shared.publish_now()
    assert alone.values()["calls_total a"] == 2


COUNTS = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 1000)), min_size=1, max_size=4)


@given(COUNTS, st.randoms())
def test_the_sum_is_the_same_in_any_order(counts: list[dict[str, int]], rng: object) -> None:
    parts = [
        [Family("n", "counter", "", [("n_total", {"x": name}, value) for name, value in each.items()])]
        for each in counts
    ]
    forth, back = ({str(sample[1]): sample[2] for sample in merged(each)[0].samples} for each in (parts, parts[::-1]))
    assert forth == back
    assert sum(forth.values()) == sum(sum(each.values()) for each in counts)
