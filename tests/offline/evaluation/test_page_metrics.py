"""Pages: one list before what a user did in one second, and the measures of it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.types import RATING, Item
from offline.datasets.dataset import Dataset
from offline.evaluation.page_metrics import page_gains, page_results
from offline.evaluation.prequential import by_signal, prequential
from offline.evaluation.protocol import protocol_rows
from offline.evaluation.ranking_metrics import Queries, as_list
from tests.offline.nothing_between_items import nothing_between_items
from tests.schemas import MOVIES

Rows = list[tuple[int, int, int, int]]
"""(second, user, item, stars)"""


def dataset_of(rows: Rows, folder: Path) -> Dataset:
    """A data set of these rows in the order of time."""
    rows = sorted(rows, key=lambda row: row[0])
    columns = {
        "user_id": [user for _, user, _, _ in rows],
        "item_id": [item for _, _, item, _ in rows],
        "kind": [RATING] * len(rows),
        "centi": [100 * stars for *_, stars in rows],
        "ts": [1000 * second for second, *_ in rows],
        "user": [""] * len(rows),
        "item": [""] * len(rows),
        "context": [""] * len(rows),
    }
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    return Dataset("d", folder / "rows.parquet", [], len(rows), 0, 0)


def queries_of(pages: list[tuple[int, list[int]]]) -> Queries:
    """The queries of pages, each of a user who wanted these items."""
    queries = Queries()
    for page, (user, wanted) in enumerate(pages):
        for item_id in wanted:
            queries.add(user, item_id, 0, 0, 0, 0, page)
    return queries


def test_a_page_is_measured_against_all_that_its_user_wanted() -> None:
    queries = queries_of([(1, [5, 6]), (1, [7]), (2, [8])])
    lists = np.stack([as_list([6, 1, 5]), as_list([1]), as_list([9, 8])])
    hr, recall, ndcg = page_gains(queries, lists)
    assert hr.tolist() == [1, 0, 1]
    assert recall.tolist() == [1, 0, 1]
    best = 1 + 1 / np.log2(3)
    assert ndcg == pytest.approx([(1 + 0.5) / best, 0, 1 / np.log2(3)])


def test_a_page_that_wants_more_than_a_list_holds_can_be_answered_whole() -> None:
    queries = queries_of([(1, list(range(12)))])
    hr, recall, ndcg = page_gains(queries, as_list(list(range(10)))[None])
    assert (hr[0], recall[0], ndcg[0]) == pytest.approx((1, 10 / 12, 1))


def test_an_item_that_a_page_wants_twice_is_one_target() -> None:
    queries = queries_of([(1, [10, 11, 10]), (2, [10, 10])])
    found = page_gains(queries, np.stack([as_list([10, 11]), as_list([12, 10])]))
    assert [values.tolist() for values in found] == [[1, 1], [1, 1], [1, 1 / np.log2(3)]]
    one = page_gains(queries, np.stack([as_list([10]), as_list([])]))
    assert [values[0] for values in one] == pytest.approx([1, 1 / 2, 1 / (1 + 1 / np.log2(3))])


def test_no_page_has_no_gains() -> None:
    assert [values.tolist() for values in page_gains(Queries(), np.zeros((0, 10), np.int64))] == [[], [], []]


def test_each_query_is_measured_by_the_first_list_of_its_page() -> None:
    queries = queries_of([(1, [5, 6]), (2, [7, 8])])
    found = page_results(queries, {"a": np.stack([as_list([6]), as_list([])])})["a"]
    assert found["hr"].mean == found["ndcg"].mean == 1 / 4
    assert found["page hr"].mean == found["page recall"].mean * 2 == 1 / 2
    assert found["page hr"].low == 0
    assert found["page hr"].high == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings().max_examples // 10)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 3), st.integers(1, 5), st.sampled_from([2, 5])), max_size=30
    ),
    first=st.integers(0, 8),
)
def test_pages_open_at_their_first_row_and_hold_the_queries_of_a_second(rows: Rows, first: int, tmp_path: Path) -> None:
    dataset = dataset_of(rows, tmp_path)
    queries = Queries()
    walked = list(protocol_rows(dataset, MOVIES, first, dataset.rows, queries))
    asked = [row for row in walked if row.is_query]
    keys = [(row.user_id, row.ts) for row in asked]
    assert len(queries.pages) == len(asked)
    opening = [row for row in walked if row.opens_page]
    assert len(opening) == len(set(keys))
    for row, page in zip(asked, queries.pages, strict=True):
        opened = opening[page]
        assert (opened.user_id, opened.ts) == (row.user_id, row.ts)
        same = [each.number for each in walked if (each.user_id, each.ts) == (row.user_id, row.ts)]
        assert opened.number == min(number for number in same if number >= first)


def test_lists_of_parts_of_the_rows_are_those_of_all_of_them(tmp_path: Path) -> None:
    """Wherever they are cut: also between the first row of a page and its first query, or amid its queries."""
    films = [(second, user, item, 5) for second, (user, item) in enumerate([(9, 1), (9, 2), (9, 3), (9, 4)])]
    page = [(20, 1, 1, 2), (20, 2, 9, 2), (20, 1, 2, 5), (20, 2, 2, 5), (20, 1, 3, 5), (20, 2, 4, 2)]
    dataset = dataset_of([*films, *page, (21, 2, 3, 5), (21, 1, 9, 2)], tmp_path)
    relations, catalogue = (
        nothing_between_items(tmp_path),
        {item: Item(item, f"Film {item}") for item in (1, 2, 3, 4, 9)},
    )
    first, methods = len(films), {"popular": by_signal("popular")}
    whole = prequential(dataset, catalogue, relations, MOVIES, first, methods)
    assert (len(whole.lists["popular"]), len(whole.page_lists["popular"])) == (4, 3)
    for cut in range(first + 1, dataset.rows):
        one = prequential(dataset, catalogue, relations, MOVIES, first, methods, end=cut)
        other = prequential(dataset, catalogue, relations, MOVIES, first, methods, since=cut)
        for field in ("lists", "page_lists"):
            joined = np.concatenate([getattr(part, field)["popular"] for part in (one, other)])
            np.testing.assert_array_equal(joined, getattr(whole, field)["popular"], f"{field} cut before row {cut}")
