"""The histogram of freshness: what is added up, taken apart and read back stays what was counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import Broken
from features.store.freshness import BUCKETS_MS, FreshnessHistogram

times = st.lists(st.integers(0, 9_000), max_size=60)


def histogram(values: list[int]) -> FreshnessHistogram:
    made = FreshnessHistogram()
    for value in values:
        made.add(value)
    return made


@given(times)
def test_json_gives_back_what_was_counted(values: list[int]) -> None:
    made = histogram(values)
    assert FreshnessHistogram.from_json(made.to_json()) == made


def test_the_json_is_the_contract() -> None:
    made = histogram([1, 3, 7_000])
    assert json.loads(made.to_json()) == {
        "buckets_ms": [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
        "counts": [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        "sum_ms": 7004,
        "count": 3,
    }


@given(times, times)
def test_merging_is_counting_both(one: list[int], other: list[int]) -> None:
    assert histogram(one).merge(histogram(other)) == histogram(one + other)


@given(times, times)
def test_since_is_what_came_after(before: list[int], after: list[int]) -> None:
    assert histogram(before + after).since(histogram(before)) == histogram(after)


@given(times, times)
def test_a_writer_that_began_again_is_counted_from_its_beginning(before: list[int], after: list[int]) -> None:
    earlier, now = histogram(before), histogram(after)
    if any(new < old for new, old in zip(now.counts, earlier.counts, strict=True)):
        assert now.since(earlier) == now


@given(times.filter(bool), st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_of_the_value_it_stands_for(values: list[int], q: float) -> None:
    found = histogram(values).quantile(q)
    assert found is not None
    # The smallest value that at least a share q of all does not exceed.
    rank = q * len(values)
    exact = next(value for at, value in enumerate(sorted(values), start=1) if at >= rank)
    bounds = [0, *BUCKETS_MS, 10_000]
    low = max(bound for bound in bounds if bound < exact) if exact else 0
    high = min(bound for bound in bounds if bound >= max(exact, 1))
    assert low <= found <= high or found == BUCKETS_MS[-1] < exact


@given(times.filter(bool), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_are_in_order(values: list[int], one: float, other: float) -> None:
    made = histogram(values)
    low, high = made.quantile(min(one, other)), made.quantile(max(one, other))
    assert low is not None
    assert high is not None
    assert low <= high


def test_edges() -> None:
    assert FreshnessHistogram().quantile(0.5) is None
    assert histogram([20_000]).quantile(0.5) == 5_000
    negative = histogram([])
    negative.add(-3)
    assert (negative.counts[0], negative.sum_ms) == (1, 0)
    many = FreshnessHistogram()
    many.add(10, times=4)
    assert many == histogram([10] * 4)
    assert many.quantile(0.5) == 7.5
    with pytest.raises(ValueError, match="q: expected 0 … 1, got 2"):
        many.quantile(2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}",
        b'{"buckets_ms":[1,2],"counts":[0,0,0],"sum_ms":0,"count":0}',
        histogram([1]).to_json().replace(b'"count":1', b'"count":2'),
        histogram([1]).to_json().replace(b"[1,0,", b"[1,"),
    ],
)
def test_what_is_no_histogram_is_refused(data: bytes) -> None:
    with pytest.raises(Broken, match="freshness histogram"):
        FreshnessHistogram.from_json(data)
