"""The prequential protocol: asked before it is learned, places counted right, intervals that hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.arrays import IntArray
from features.base.reader import RELATIONS, Base
from features.errors import BadInput
from features.units import DAY_MS, SESSION_GAP_MS
from offline.datasets.dataset import Dataset, rows_between
from offline.evaluation.__main__ import evaluate
from offline.evaluation.prequential import NEVER, RankingQuery, by_fusion_of_ranks, by_signal, prequential
from offline.evaluation.protocol import protocol_rows
from offline.evaluation.ranking_metrics import NO_RANK, Queries, as_list, measure, ranks_of
from offline.evaluation.report import results
from offline.evaluation.signal_constants import compare
from tests.offline.conftest import Based, Row
from tests.schemas import MOVIES

pytestmark = pytest.mark.spark

Write = Callable[..., Path]


@settings(max_examples=settings().max_examples // 6)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), min_size=1, max_size=80))
def test_an_interval_holds_the_mean_and_is_the_same_again(asks: list[tuple[int, int]]) -> None:
    users, ranks = np.array(asks).T
    found = measure(ranks, users)
    assert found == measure(ranks, users)
    for value in found.values():
        assert value.low - 1e-9 <= value.mean <= value.high + 1e-9 or len(set(users.tolist())) < 4


def test_of_one_user_there_is_no_spread() -> None:
    found = measure(np.array([0, 11, 3]), np.array([7, 7, 7]))
    assert found["hr"].low == found["hr"].mean == found["hr"].high == pytest.approx(2 / 3)
    assert measure(np.zeros(0, np.int64), np.zeros(0, np.int64)) == {}


def test_groups_are_by_silence_history_and_age() -> None:
    queries = Queries()
    for user, ts, gap, events, age in (
        (1, 1_000, -1, 0, 5),
        (1, 1_000, 0, 1, 5),
        (2, 9 * DAY_MS, SESSION_GAP_MS + 1, 30, 40 * DAY_MS),
        (2, 9 * DAY_MS, SESSION_GAP_MS, 7, 5),
    ):
        queries.add(user, 1, ts, gap, events, age, 0)
    inside = {name: np.flatnonzero(each).tolist() for name, each in queries.slices().items()}
    assert inside["all"] == [0, 1, 2, 3]
    assert inside["session starts"] == [0, 2]
    assert inside["same second"] == [1]
    assert (inside["no event before"], inside["1-5 before"], inside["21-100 before"]) == ([0], [1], [2])
    assert (inside["item new for 30 days"], inside["item older"]) == ([0, 1, 3], [2])


def test_the_same_second_is_a_whole_second_as_of_a_page() -> None:
    queries = Queries()
    for ts, gap in ((5_999, 999), (6_000, 1), (6_999, 0), (0, -1)):
        queries.add(1, 1, ts, gap, 0, 0, 0)
    assert queries.slices()["same second"].tolist() == [True, False, True, False]


@pytest.fixture
def made(based: Based, some_rows: list[Row], write_folder: Write) -> tuple[Dataset, Base]:
    return based(write_folder(some_rows), 0.75)


def test_each_positive_row_is_asked_before_it_is_learned(made: Any) -> None:
    dataset, base = made
    catalogue = {item.item_id: item for item in dataset.items}
    asks: list[tuple[int, int, int]] = []

    def spy(query: RankingQuery) -> IntArray:
        asks.append((query.moment.user_id, query.moment.at, sum(query.moment.user.counts)))
        return query.rows

    first = int(base.manifest["history_rows"])
    queries, lists, _ = prequential(dataset, catalogue, base.folder / RELATIONS, MOVIES, first, {"spy": spy})
    rows = [tuple(row.values()) for batch in rows_between(dataset, 0, dataset.rows) for row in batch.to_pylist()]
    before: dict[int, int] = {}
    expected = []
    for seq, (user_id, _, _, centi, ts) in enumerate(rows):
        if seq >= first and centi >= 400:
            expected.append((user_id, ts, before.get(user_id, 0)))
        before[user_id] = before.get(user_id, 0) + 1
    assert asks == expected
    assert len(queries.users) == len(queries.wanted) == len(lists["spy"]) == len(expected)
    assert queries.events == [count for _, _, count in expected]


def test_late_features_know_less_and_never_shows_what_was_rated(made: Any) -> None:
    dataset, base = made
    catalogue = {item.item_id: item for item in dataset.items}
    first, known = int(base.manifest["history_rows"]), {}

    for late_ms in (0, 432_000_000, NEVER):
        counts: list[int] = []
        seen: list[int] = []

        def spy(query: RankingQuery, counts: list[int] = counts, seen: list[int] = seen) -> IntArray:
            counts.append(sum(query.moment.user.counts))
            seen.append(int((~query.moment.allowed).sum()))
            return query.rows

        prequential(dataset, catalogue, base.folder / RELATIONS, MOVIES, first, {"spy": spy}, late_ms)
        known[late_ms] = (sum(counts), seen)
    assert known[0][0] > known[432_000_000][0] > known[NEVER][0]
    assert known[0][1] == known[432_000_000][1] == known[NEVER][1]


def test_methods_give_their_own_lists(made: Any) -> None:
    dataset, base = made
    catalogue = {item.item_id: item for item in dataset.items}
    methods = {"popular": by_signal("popular"), "both": by_fusion_of_ranks(("popular", "ease"))}
    first = int(base.manifest["history_rows"])
    queries, lists, _ = prequential(dataset, catalogue, base.folder / RELATIONS, MOVIES, first, methods)
    assert (ranks_of(lists["popular"], queries.wanted) < 10).any()
    assert lists["popular"].tolist() != lists["both"].tolist()


@pytest.mark.soak
def test_constants_are_compared_on_the_end_of_the_history_one_at_a_time(
    spark: Any, made: tuple[Dataset, Base], tmp_path: Path
) -> None:
    dataset, base = made
    lists, found = compare(spark, dataset, base, tmp_path)
    end = int(base.manifest["history_rows"])
    asked = Queries()
    assert sum(row.is_query for row in protocol_rows(dataset, base.schema, int(end * 0.9), end, asked)) == lists > 5
    constants = {(choice.signal, choice.constant) for choice in found}
    used = {(choice.signal, choice.constant): figures for choice, figures in found.items() if choice.used}
    assert set(used) == constants  # each table says which value is in use
    for signal in ("ease", "similar", "together"):
        assert len({figures for (of, _), figures in used.items() if of == signal}) == 1
        assert len({figures for choice, figures in found.items() if choice.signal == signal}) > 1


def test_places_are_those_in_the_lists() -> None:
    lists = np.stack([as_list([5, 6, 7]), as_list([]), as_list(list(range(20)))])
    assert lists.shape == (3, 10)
    assert ranks_of(lists, [7, 7, 10]).tolist() == [2, NO_RANK, NO_RANK]
    assert ranks_of(np.zeros((0, 10), np.int64), []).tolist() == []


def test_nothing_asked_is_an_error() -> None:
    with pytest.raises(BadInput, match="rows to evaluate: expected at least one"):
        results(Queries(), {})


def test_the_report_is_written(made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset, base = made
    out = tmp_path / "report"
    evaluate(dataset, base, tmp_path / "no-models", [], out, late=True)
    found = json.loads((out / "report.json").read_text())
    assert found["asks"]["all"] > 20
    assert set(found["late"]) == {"1 s", "30 s", "1 min", "5 min", "1 h", "never"}
    assert 0 <= found["results"]["all"]["signal popular"]["hr"]["low"] <= 1
    assert 0 <= found["results"]["all"]["signal popular"]["hr of users"]["mean"] <= 1
    assert set(found["pages"]["signal popular"]) == {"page hr", "page recall", "page ndcg", "hr", "ndcg"}
    assert set(found["asides"]["the lists themselves"]["signal popular"]) == {"coverage", "novelty", "diversity"}
    page = (out / "report.html").read_text()
    for name in ("groups.png", "freshness.png"):
        assert (out / name).read_bytes()[:4] == b"\x89PNG"
        assert name in page
    assert "signal popular" in capsys.readouterr().out
