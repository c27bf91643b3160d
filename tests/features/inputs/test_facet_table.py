"""The sparse table of facet values, against a plain list of sets; and what it costs."""

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import FloatArray, IntArray
from features.inputs.facet_table import VOCABULARIES, FacetTable
from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.rows_by_value import CHANGED
from features.recall.sparse import ROW

NAMES = [f"v{number}" for number in range(12)]
VOCABULARY = ("v1", "v3", "never")

values = st.lists(st.sampled_from(NAMES), max_size=8)
puts = st.lists(st.tuples(st.integers(0, 9), values), max_size=60)


def matrix(table: FacetTable, rows: IntArray, vocabulary: Vocabulary) -> FloatArray:
    """[n, G + 1]: 1 for the values of the vocabulary that a row has, and in the last column for having any other."""
    values, starts = table.of(rows)
    out = np.zeros((len(rows), len(vocabulary) + 1), np.float32)
    out[np.repeat(np.arange(len(rows)), np.diff(starts)), table.columns_of(vocabulary)[values]] = 1
    return out


def filled(rows: int, changes: list[tuple[int, list[str]]]) -> tuple[FacetTable, list[list[str]]]:
    """A table after these changes, and what each row has."""
    table = FacetTable(rows)
    plain: list[list[str]] = [[] for _ in range(rows)]
    for row, names in changes:
        table.put(row, names)
        plain[row] = list(dict.fromkeys(names))
    return table, plain


def names_of(table: FacetTable, rows: list[int]) -> list[list[str]]:
    found, starts = table.of(np.array(rows, np.int64))
    return [[table.names[number] for number in found[low:high]] for low, high in pairwise(starts)]


@given(puts)
def test_a_row_has_what_was_put_last(changes: list[tuple[int, list[str]]]) -> None:
    table, plain = filled(10, changes)
    assert names_of(table, list(range(10))) == plain
    assert names_of(table, [7, 2, 7]) == [plain[7], plain[2], plain[7]]
    assert table.counts(slice(0, 10)).tolist() == [len(each) for each in plain]


@given(puts, st.dictionaries(st.sampled_from(NAMES), st.floats(-1, 1, width=32), max_size=5))
def test_sums_are_of_the_weights_of_what_a_row_has(
    changes: list[tuple[int, list[str]]], weights: dict[str, float]
) -> None:
    table, plain = filled(10, changes)
    known = sorted(
        (number, weight) for name, weight in weights.items() if (number := table.number_of(name)) is not None
    )
    numbers = np.array([number for number, _ in known], np.int64)
    strengths = np.array([weight for _, weight in known], np.float32)
    expected = [sum(weights.get(name, 0) for name in each) for each in plain]
    assert table.sums(np.arange(10), numbers, strengths) == pytest.approx(expected, abs=1e-6)
    starts, counts, values = table.runs
    for row, each in enumerate(plain):
        run = values[starts[row] : starts[row] + counts[row]].tolist()
        assert [table.names[number] for number in run] == each


@given(puts)
def test_a_matrix_has_a_column_a_value_and_one_for_all_others(changes: list[tuple[int, list[str]]]) -> None:
    table, plain = filled(10, changes)
    for vocabulary in (VOCABULARY, (), ("v3", "v1")):
        expected = [
            [*(float(name in each) for name in vocabulary), float(bool(set(each) - set(vocabulary)))] for each in plain
        ]
        assert matrix(table, np.arange(10), vocabulary).tolist() == expected


def having(table: FacetTable, wanted: set[str], max_rows: int) -> list[int] | None:
    """The rows that have one of these values, each as often as it is found; None where there are too many."""
    weights = np.array([name in wanted for name in table.names], np.float32)
    keys = table.best_having(weights, np.ones(len(table), np.float32), np.ones(len(table), bool), len(table), max_rows)
    return None if keys is None else sorted((keys & ROW).tolist())


@given(puts, puts, st.sets(st.sampled_from(NAMES)))
def test_rows_are_found_by_their_values_while_they_change(
    first: list[tuple[int, list[str]]], then: list[tuple[int, list[str]]], wanted: set[str]
) -> None:
    table, plain = filled(10, first)
    for row, names in [(0, plain[0]), *then]:
        table.put(row, names)
        plain[row] = list(dict.fromkeys(names))
        assert having(table, wanted, 100) == [row for row, each in enumerate(plain) if wanted & set(each)]


def test_rows_by_value_are_made_anew_once_many_have_changed_and_not_given_where_they_are_too_many() -> None:
    size = 5_000
    table = FacetTable(size)
    for row in range(size):
        table.put(row, [f"v{row % 100}", "any"])
    assert having(table, {"v7"}, size - 1) == list(range(7, size, 100))
    assert having(table, {"any"}, size - 1) is None
    for row in range(CHANGED + 1):
        table.put(row, ["any"])
    assert having(table, {"v7"}, size - 1) == list(range(1107, size, 100))


def test_values_that_came_after_a_vocabulary_was_used_are_others() -> None:
    table = FacetTable(2)
    table.put(0, ["v1"])
    assert matrix(table, np.arange(2), VOCABULARY).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    table.put(1, ["new", "v3"])
    assert matrix(table, np.arange(2), VOCABULARY).tolist() == [[1, 0, 0, 0], [0, 1, 0, 1]]
    table.put(1, ["never"])
    assert matrix(table, np.arange(2), VOCABULARY).tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]


def test_a_table_that_has_grown_keeps_what_it_had() -> None:
    table = FacetTable(1)
    table.put(0, ["a", "b"])
    table.grow(2)
    table.put(2, ["b", "c"])
    assert len(table) == 3
    assert names_of(table, [0, 1, 2]) == [["a", "b"], [], ["b", "c"]]


def nbytes(table: FacetTable) -> int:
    arrays: list[Any] = [each for each in vars(table).values() if isinstance(each, np.ndarray)]
    return sum(each.nbytes for each in arrays)


def test_changes_without_end_take_no_room_without_end() -> None:
    """A row that grows moves, and what it leaves behind is swept up."""
    table = FacetTable(100)
    for number in range(20_000):
        table.put(number % 100, NAMES[: number % 7 + number % 2])
    assert nbytes(table) < 100 * 12 + 4 * 1024 * 8
    assert names_of(table, [99]) == [NAMES[: 19_999 % 7 + 1]]


def test_memory_goes_by_what_items_have_and_not_by_how_many_values_there_are() -> None:
    few, many = (FacetTable(5_000) for _ in range(2))
    for row in range(5_000):
        few.put(row, [f"v{row * step % 20}" for step in (1, 3, 7)])
        many.put(row, [f"v{row * 3 + step}" for step in range(3)])
    assert len(many.names) == 15_000
    assert nbytes(many) == pytest.approx(nbytes(few), rel=0.3)
    assert nbytes(many) < 5_000 * (12 + 3 * 8 * 1.3)


def test_the_columns_of_vocabularies_without_end_take_no_room_without_end() -> None:
    table, row = FacetTable(1), np.array([0])
    table.put(0, [f"v{number}" for number in range(10_000)])

    def taken(first: int) -> int:
        """Bytes that are taken once so many more vocabularies were used, and one used all the while."""
        for number in range(first, first + 2 * VOCABULARIES):
            matrix(table, row, (f"w{number}",))
            assert matrix(table, row, ("v1",)).tolist() == [[1, 1]]
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = taken(0)
        assert taken(2 * VOCABULARIES) < before + 40_000 * 2  # columns of two vocabularies
    finally:
        tracemalloc.stop()
