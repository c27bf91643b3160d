"""Samples see what was before them, and nothing else."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from features.errors import BadInput
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user
from features.inputs.columns import ClickWeights, ItemColumns, cross_matrix, item_matrix, user_vector
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import RawInputs, model_inputs
from offline.datasets.dataset import Dataset, event_of, open_dataset, rows_between
from offline.settings import SampleSettings
from offline.training_data.rows import make_samples
from tests.offline.conftest import Based, Row
from tests.schemas import MOVIES

pytestmark = pytest.mark.spark

Write = Callable[..., Path]
SETTINGS = SampleSettings(negatives=2, seed=5)


def make(
    spark: Any, based: Based, folder: Path, out: Path, settings: SampleSettings = SETTINGS, history: float = 0.75
) -> tuple[Dataset, dict[str, Any], InputMaps, list[dict[str, Any]]]:
    """The samples of a base, in the folder `out`: data set, meta, maps and the samples as a list of dicts."""
    dataset, base = based(folder, history)
    meta = make_samples(spark, dataset, base, out, settings)
    rows = [row for path in sorted(out.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return dataset, meta, msgspec.json.decode((out / "maps.json").read_bytes(), type=InputMaps), rows


def events_of(dataset: Dataset, rows: int) -> list[Any]:
    return [
        event_of(dataset.name, *row.values()) for batch in rows_between(dataset, 0, rows) for row in batch.to_pylist()
    ]


def test_samples_are_the_fold_of_what_was_before(
    spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    dataset, meta, maps, samples = make(spark, based, write_folder(some_rows), tmp_path / "samples")
    history = int(len(some_rows) * 0.75)
    events = events_of(dataset, history)
    catalogue = {item.item_id: item for item in dataset.items}
    assert maps.vocabulary == ("Action", "Animation", "Comedy", "Crime", "Sci-Fi")
    assert [row["seq"] for row in samples] == sorted(row["seq"] for row in samples)
    assert meta["samples"] == len(samples) > history

    at: dict[int, list[dict[str, Any]]] = {}
    for row in samples:
        at.setdefault(row["seq"], []).append(row)
    assert set(at) == set(range(history))
    users: dict[int, UserState] = {}
    items: dict[int, ItemFeatures] = {}
    rated = set()
    for seq, event in enumerate(events):
        own = [row for row in at[seq] if row["item_id"] == event.item_id]
        assert [row["label"] for row in own] == [float(event.centi >= 400)]
        drawn = [row for row in at[seq] if row["item_id"] != event.item_id]
        assert len(drawn) <= (2 if event.centi >= 400 else 0)
        assert len({row["item_id"] for row in at[seq]}) == len(at[seq])
        state = users.setdefault(event.user_id, UserState(UserFeatures(event.user_id)))
        vector = user_vector(state.features, event.ts, maps.vocabulary, ClickWeights(), MOVIES)
        for row in at[seq]:
            assert (row["user_id"], row["at"]) == (event.user_id, event.ts)
            assert np.array_equal(np.array(row["user"], np.float32), vector)
            columns = ItemColumns(1)
            columns.set_item(0, row["item_id"], catalogue.get(row["item_id"]))
            columns.set_features(0, items.get(row["item_id"], ItemFeatures(row["item_id"])), 1)
            expected = item_matrix(columns, np.array([0]), event.ts, maps.vocabulary)[0]
            assert np.array_equal(np.array(row["item"], np.float32), expected)
        for row in drawn:
            assert row["label"] == 0
            assert (event.user_id, row["item_id"]) not in rated
            assert row["item_id"] in items
        rated.add((event.user_id, event.item_id))
        contribution = fold_user(state, event, catalogue.get(event.item_id), seq, MOVIES).contribution
        assert contribution is not None
        items[event.item_id] = fold_item(items.get(event.item_id, ItemFeatures(event.item_id)), contribution, MOVIES)

    # The maps are the samples' own, and fit the model inputs.
    user, item = (np.array([row[name] for row in samples], np.float32) for name in ("user", "item"))
    for values, mean, std in (
        (user, maps.user_mean, maps.user_std),
        (item, maps.item_mean, maps.item_std),
        (cross_matrix(user, item), maps.cross_mean, maps.cross_std),
    ):
        wide = values.astype(np.float64)
        assert np.allclose(mean, wide.mean(axis=0), atol=1e-6)
        spread = wide.std(axis=0)
        assert np.allclose(std, np.where(spread > 1e-9, np.maximum(spread, 1e-3), 0), atol=1e-6)
    ids = np.array([row["item_id"] for row in samples])
    names = ("userId", "movieId", "user", "item", "cross")
    assert set(model_inputs(names, maps, RawInputs(ids, user, ids, item))) == set(names)


def test_nothing_leaks_from_later_rows(
    spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    """Whatever happens from row 200 on, in the history and after the cut, samples of rows before it stay as they are."""
    turn = next(row for row in range(200, 400) if some_rows[row][3] > some_rows[row - 1][3])
    chance = random.Random(9)
    altered, times = list(some_rows[:turn]), [row[3] for row in some_rows[turn:]]
    for at, ts in enumerate(times):
        altered.append((chance.randrange(1, 24), 1000 + at, chance.choice([0.5, 5.0]), ts + at % 3))
    *_, before = make(spark, based, write_folder(some_rows), tmp_path / "before")
    *_, after = make(spark, based, write_folder(altered), tmp_path / "after")
    early, still = ([row for row in rows if row["seq"] < turn] for rows in (before, after))
    assert len(early) > turn
    assert early == still
    assert before != after

    # After the cut, nothing at all changes.
    history = int(len(some_rows) * 0.75)
    later = [(user, item, 5.5 - rating, ts) for user, item, rating, ts in some_rows[history:]]
    *_, beyond = make(spark, based, write_folder([*some_rows[:history], *later]), tmp_path / "beyond")
    assert before == beyond
    assert {row["seq"] for row in before} == set(range(history))


def test_no_history(spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    _, meta, maps, samples = make(spark, based, write_folder(some_rows), tmp_path / "samples", history=0.0)
    assert samples == []
    assert (meta["samples"], meta["cut"]) == (0, 0)
    assert set(maps.user_mean) == {0.0}
    assert set(maps.item_std) == {1.0}


def test_fewer_samples(spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    """Without negatives, thinned out; and a data set without a single genre."""
    movies = [(1, "Heat (1995)", "(no genres listed)")]
    folder = write_folder(some_rows, movies=movies)
    settings = SampleSettings(negatives=0, max_positives=20)
    _, meta, maps, samples = make(spark, based, folder, tmp_path / "samples", settings, 1.0)
    assert maps.vocabulary == ()
    assert 5 <= sum(row["label"] for row in samples) <= 40
    assert meta["samples"] == len(samples) == len({row["seq"] for row in samples}) < len(some_rows) / 2
    assert {len(row["user"]) for row in samples} == {len(maps.user_mean)}


def test_refusals(spark: Any, based: Based, tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    dataset, base = based(write_folder(some_rows), 0.75)
    other = open_dataset(str(write_folder(some_rows[:50], "other")), tmp_path / "data")
    with pytest.raises(BadInput, match="what the base was made of"):
        make_samples(spark, other, base, tmp_path / "out", SETTINGS)
    with pytest.raises(BadInput, match="--negatives"):
        make_samples(spark, dataset, base, tmp_path / "out", SampleSettings(negatives=-1))
    with pytest.raises(BadInput, match="not there yet"):
        make_samples(spark, dataset, base, tmp_path, SETTINGS)
