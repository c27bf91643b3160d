"""Asks see what was before them, as a request would have seen it, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.errors import BadInput
from features.inputs.columns import user_vector
from features.inputs.history import history_of, mark_of
from features.inputs.signals import RECALL_SIGNALS, SIGNAL_COLUMNS, candidates, find_signals, signal_matrix
from features.types import RATING
from models.training.lessons.list_data import read_ranking_lists
from offline.datasets.dataset import Dataset, open_dataset, rows_between
from offline.datasets.event_rows import row_weights
from offline.item_weights.build import write_history_relations
from offline.settings import RankingListSettings
from offline.training_data.history_walk import HistoryWalk, item_ids
from offline.training_data.ranking_lists import first_ranked, make_ranking_lists
from tests.offline.conftest import Based, Row
from tests.schemas import MOVIES

pytestmark = pytest.mark.spark

Write = Callable[..., Path]
SETTINGS = RankingListSettings(limit=60, candidates=5)


def make(
    spark: Any, based: Based, folder: Path, out: Path, settings: RankingListSettings = SETTINGS
) -> tuple[Dataset, dict[str, Any], list[dict[str, Any]]]:
    """The asks of a base of 300 rows, in the folder `out`: data set, meta, and the asks as a list of dicts."""
    dataset, base = based(folder, 0.75)
    meta = make_ranking_lists(spark, dataset, base, out, settings)
    rows = [row for path in sorted((out / "asks").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return dataset, meta, rows


def rows_of(dataset: Dataset, rows: int) -> list[tuple[int, int, float, int]]:
    """(user, item, rating, ts) of rows, which are ratings."""
    found = [row for batch in rows_between(dataset, 0, rows) for row in batch.to_pylist()]
    return [(row["user_id"], row["item_id"], row["centi"] / 100, row["ts"]) for row in found]


def first_list(rows: list[Row], history: int, limit: int) -> int:
    """The row of the `limit`-th positive from the history's end; where that is more than 30 % of the history, these 30 %."""
    floor = int(history * 0.7)
    positive = [row for row in range(floor, history) if rows[row][2] >= 4]
    return positive[len(positive) - limit] if len(positive) > limit else floor


@pytest.mark.parametrize("limit", [1, 2, 17, 10_000])
def test_as_many_asks_as_are_wanted_and_no_more_than_the_last_third(
    tmp_path: Path, some_rows: list[Row], write_folder: Write, limit: int
) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    history = int(len(some_rows) * 0.75)
    first = first_ranked(row_weights(dataset, history, MOVIES), limit)
    assert first == first_list(some_rows, history, limit)
    asked = sum(row[2] >= 4 for row in some_rows[first:history])
    assert asked == min(limit, sum(row[2] >= 4 for row in some_rows[int(history * 0.7) : history]))


def test_asks_are_what_a_request_would_have_seen(
    spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    """Recomputed row by row with the kernel, from weights made of the rows before the first ask."""
    dataset, meta, asks = make(spark, based, write_folder(some_rows), tmp_path / "asks")
    first, history = meta["first"], int(len(some_rows) * 0.75)
    assert first == first_list(some_rows, history, SETTINGS.limit)
    assert int(history * 0.7) <= first < history
    write_history_relations(spark, dataset, first, MOVIES, tmp_path / "again", tmp_path / "scratch")
    catalogue = {item.item_id: item for item in dataset.items}
    walk = HistoryWalk(dataset, catalogue, item_ids(dataset, history), tmp_path / "again", MOVIES)
    expected = {}
    for seq, (user_id, item_id, rating, ts) in enumerate(rows_of(dataset, history)):
        if seq >= first and rating >= 4:
            moment = walk.moment((user_id, item_id, RATING, round(rating * 100), ts, "", "", ""))
            found = find_signals(moment)
            rows, _ = candidates(found.find(RECALL_SIGNALS), SETTINGS.candidates)
            ids = walk.index.columns.ids[rows].tolist()
            if item_id in ids:
                matrix = signal_matrix(found, rows)
                vector = user_vector(moment.user, ts, walk.vocabulary, moment.weights, MOVIES)
                expected[seq] = (
                    user_id,
                    ts,
                    history_of(moment.user.recent, ts),
                    vector,
                    ids,
                    ids.index(item_id),
                    matrix,
                )
        walk.fold((user_id, item_id, RATING, round(rating * 100), ts, "", "", ""))
    assert len(expected) > 5
    assert meta["asks"] == len(asks) == len(expected)
    for ask in asks:
        user_id, ts, history_, vector, ids, answer, matrix = expected[ask["seq"]]
        assert (ask["user_id"], ask["at"], ask["items"], ask["answer"]) == (user_id, ts, ids, answer)
        for name, part in zip(("history", "history_marks", "history_gaps"), history_, strict=True):
            assert ask[name] == part.tolist()
        np.testing.assert_array_equal(np.array(ask["user"], np.float32), vector)
        np.testing.assert_array_equal(np.array(ask["signals"], np.float32), matrix.ravel())


def test_nobody_is_asked_for_what_they_have_seen(
    spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    dataset, _, asks = make(spark, based, write_folder(some_rows), tmp_path / "asks", RankingListSettings(60, 50))
    rows = rows_of(dataset, len(some_rows))
    for ask in asks:
        seen = {item_id for user_id, item_id, _, _ in rows[: ask["seq"]] if user_id == ask["user_id"]}
        assert not seen & set(ask["items"])


def test_nothing_leaks_from_later_rows(
    spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    """Whatever happens from some row on, in the history and after it, asks before that row stay as they are."""
    settings = RankingListSettings(10_000, 5)
    _, whole, before = make(spark, based, write_folder(some_rows), tmp_path / "before", settings)
    turn = next(
        row for row in range(whole["first"] + 30, whole["history_rows"]) if some_rows[row][3] > some_rows[row - 1][3]
    )
    later = [(user_id + 100, item_id, 5.5 - rating, ts) for user_id, item_id, rating, ts in some_rows[turn:]]
    other = [*some_rows[:turn], *later]
    _, again, after = make(spark, based, write_folder(other, "other"), tmp_path / "after", settings)
    assert again["first"] == whole["first"]
    kept = [ask for ask in before if ask["seq"] < turn]
    assert kept
    assert kept == [ask for ask in after if ask["seq"] < turn]


def test_training_reads_them_again(
    spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    folder = tmp_path / "asks"
    dataset, meta, asks = make(spark, based, write_folder(some_rows), folder, RankingListSettings(60, 50))
    read = read_ranking_lists(folder)
    assert len(read.train_lists) + len(read.validation_lists) == len(asks)
    assert read.train_lists.seqs.max() < read.validation_lists.seqs.min()
    assert read.first == meta["first"]
    assert read.train_lists.signals.shape[2] == len(SIGNAL_COLUMNS)
    rows = rows_of(dataset, meta["history_rows"])
    told = read.histories
    assert told is not None
    assert sorted(told.seqs.tolist()) == list(range(len(rows)))
    for seq, item, mark, ts in zip(told.seqs, told.items, told.marks, told.times, strict=True):
        _, item_id, rating, when = rows[seq]
        assert (item, mark, ts) == (item_id, mark_of(RATING, round(rating * 100)), when)
    for start, end in zip(told.starts[:-1], told.starts[1:], strict=True):
        assert len({rows[seq][0] for seq in told.seqs[start:end]}) == 1
        assert (np.diff(told.seqs[start:end]) > 0).all()


def test_what_is_there_is_not_written_over(
    spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    dataset, base = based(write_folder(some_rows), 0.75)
    with pytest.raises(BadInput, match="--out: expected a folder that is not there yet"):
        make_ranking_lists(spark, dataset, base, tmp_path, SETTINGS)
