"""The index of facets: as a dict of sets would have it, whatever has changed."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.types import Item
from online.stores.facets import MAX_VALUES, MIN_OVERLAY, FacetCounts, FacetIndex, Facets, facet_index

VALUES = st.lists(st.sampled_from(["a", "b", "c", "d", "é"]), unique=True, max_size=3)


def as_sets(index: FacetIndex, values: str) -> dict[str, set[int]]:
    found = {value: index.rows(value).tolist() for value in values}
    assert all(len(rows) == len(set(rows)) for rows in found.values())
    return {value: set(rows) for value, rows in found.items() if rows}


def expected(values_by_row: dict[int, list[str]]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for row, values in values_by_row.items():
        for value in values:
            found[value].add(row)
    return dict(found)


def expected_counts(values_by_row: dict[int, list[str]]) -> FacetCounts:
    by_name = [(value, len(rows)) for value, rows in sorted(expected(values_by_row).items())]
    most = sorted(by_name, key=lambda each: -each[1])
    return FacetCounts(len(by_name), by_name[:MAX_VALUES], most[:MAX_VALUES])


@given(st.lists(VALUES, max_size=12), st.lists(st.tuples(st.integers(0, 20), VALUES), max_size=40))
def test_it_is_what_was_put_last(first: list[list[str]], puts: list[tuple[int, list[str]]]) -> None:
    index, now = facet_index(first), dict(enumerate(first))
    for row, values in puts:
        index.put(row, values)
        now[row] = values
        assert as_sets(index, "abcdé") == expected(now)
    assert index.counting().count() == expected_counts(now)


def test_many_changes_are_taken_into_the_arrays_and_change_nothing() -> None:
    index = facet_index([["old"], ["old", "a"], ["a"]])
    now: dict[int, list[str]] = {0: ["old"], 1: ["old", "a"], 2: ["a"]}
    before = index.nbytes
    for row in range(2 * MIN_OVERLAY + 5):
        now[row] = [f"v{row % 7}", "a"]
        index.put(row, now[row])
    assert index.nbytes > before
    assert as_sets(index, "a") == {"a": expected(now)["a"]}
    assert index.counting().count() == expected_counts(now)
    assert not len(index.rows("old"))


def test_counts_are_of_when_it_was_asked_though_items_change_meanwhile() -> None:
    first = {0: ["old"], 1: ["old", "a"], 2: ["a"]}
    index = facet_index(first.values())
    index.put(3, ["a", "b"])
    counting = index.counting()
    for row in range(2 * MIN_OVERLAY):
        index.put(row, [f"v{row}"])
    assert counting.count() == expected_counts(first | {3: ["a", "b"]})


def test_of_many_values_the_first_and_those_of_most_items_are_named() -> None:
    values = {row: [f"v{row % 3_000}"] for row in range(7_000)}
    found = facet_index(values.values()).counting().count()
    assert found == expected_counts(values)
    assert (found.total, len(found.by_name), len(found.largest)) == (3_000, MAX_VALUES, MAX_VALUES)


def test_a_mask_has_one_value_of_each_facet() -> None:
    items = [
        Item(1, "x", {"brand": ("A",), "tags": ("new", "red")}),
        Item(2, "x", {"brand": ("B",), "tags": ("new",)}),
        None,
        Item(4, "x", {"brand": ("C",), "tags": ("new",)}),
        Item(5, "x", {"brand": ("A",)}, deleted=True),
    ]
    facets = Facets(["brand", "tags"], items)

    def found(*filters: tuple[str, str]) -> list[int]:
        rows: list[int] = np.flatnonzero(facets.mask(filters, len(items))).tolist()
        return rows

    assert found() == [0, 1, 2, 3, 4]
    assert found(("brand", "A")) == [0]
    assert found(("brand", "A"), ("brand", "B")) == [0, 1]
    assert found(("brand", "A"), ("brand", "B"), ("tags", "red")) == [0]
    assert found(("tags", "red"), ("tags", "new")) == [0, 1, 3]
    assert found(("brand", "Z")) == []
    facets.put(2, Item(3, "x", {"brand": ("Z",)}))
    facets.put(0, Item(1, "x", {"brand": ("A",)}, deleted=True))
    assert found(("brand", "Z")) == [2]
    assert found(("brand", "A")) == []
    assert np.flatnonzero(facets.mask([("brand", "Z")], 2)).tolist() == []
    with pytest.raises(KeyError):
        found(("colour", "red"))
