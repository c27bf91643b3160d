"""Training data follows the home's schema: films as ratings of at least 4, a shop by its weights, clicks alone too."""

import json
import math
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.arrays import DoubleArray
from features.base.reader import EASE, RELATIONS, SIMILAR, Base
from features.schema.tables import Schema
from features.types import IMPRESSION
from infra.services.environment import python_env
from infra.system.repository import REPO
from models.registry import newest
from models.training.lessons.list_data import read_ranking_lists
from models.training.lessons.row_data import read_samples
from offline.base.from_dataset import make_base
from offline.datasets.dataset import Dataset, open_dataset, whole_rows
from offline.datasets.event_rows import mean_weight, query_weights, row_weights
from offline.embeddings import make_embeddings
from offline.item_weights.build import write_history_relations
from offline.item_weights.similar import GAP, ONE, SHRINKAGE, TOP
from offline.settings import RankingListSettings, SampleSettings
from offline.training_data.ranking_lists import make_ranking_lists
from offline.training_data.rows import make_samples
from tests.offline.conftest import Row
from tests.offline.drawn_events import ITEMS, base_under, drawn_events
from tests.patience import patience
from tests.schemas import MOVIES, SHOP

pytestmark = pytest.mark.spark


Write = Callable[..., Path]
MIXED = {"impression": 0.1, "view": 0.5, "click": 0.1, "purchase": 0.2, "dislike": 0.1}


def rows_in(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def similar_of(positives: list[tuple[int, int]]) -> dict[int, dict[int, float]]:
    """What `similar` must be of positives (user, item) in order, when all weigh 1."""
    of_user: dict[int, list[int]] = defaultdict(list)
    popular: dict[int, int] = defaultdict(int)
    pairs: dict[tuple[int, int], int] = defaultdict(int)
    for user, item in positives:
        for gap, other in enumerate(reversed(of_user[user][-GAP:])):
            if other != item:
                pairs[min(item, other), max(item, other)] += round(ONE / (2 + gap) ** 0.5)
        of_user[user].append(item)
        popular[item] += 1
    out: dict[int, dict[int, float]] = defaultdict(dict)
    for (left, right), count in pairs.items():
        weight = count / ONE / (math.sqrt(popular[left] * popular[right]) + SHRINKAGE)
        out[left][right] = out[right][left] = weight
    return {
        item: dict(sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]) for item, others in out.items()
    }


@pytest.mark.soak
def test_of_films_all_is_what_ratings_of_at_least_4_give(
    spark: Any, tmp_path: Path, some_rows: list[Row], write_folder: Write
) -> None:
    """Weights, samples, lists and sequences under the preset for films, against the rule that was built in before."""
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    make_base(spark, dataset, 0.75, tmp_path / "1", MOVIES)
    base = Base(tmp_path / "1")
    history = some_rows[: int(base.manifest["history_rows"])]
    expected = similar_of([(user, item) for user, item, rating, _ in history if rating >= 4])
    ids = np.load(base.folder / RELATIONS / SIMILAR / "items.npy").tolist()
    starts, others, weights = (
        np.load(base.folder / RELATIONS / SIMILAR / f"{name}.npy") for name in ("starts", "others", "weights")
    )
    assert ids == sorted(expected)
    for at, item in enumerate(ids):
        mine = slice(starts[at], starts[at + 1])
        assert others[mine].tolist() == list(expected[item])
        assert weights[mine].tolist() == [float(np.float32(value)) for value in expected[item].values()]

    meta = make_samples(spark, dataset, base, tmp_path / "samples", SampleSettings(negatives=2))
    samples = rows_in(tmp_path / "samples")
    assert (meta["schema"], meta["mean_weight"]) == (MOVIES.digest, 1.0)
    own = [row for row in samples if row["item_id"] == history[row["seq"]][1]]
    assert [row["label"] for row in own] == [float(rating >= 4) for _, _, rating, _ in history]
    assert {row["importance"] for row in samples} == {1.0}

    meta = make_ranking_lists(spark, dataset, base, tmp_path / "asks", RankingListSettings(60, 50))
    assert (meta["schema"], meta["mean_weight"]) == (MOVIES.digest, 1.0)
    assert {row["importance"] for row in rows_in(tmp_path / "asks" / "asks")} == {1.0}
    for row in rows_in(tmp_path / "asks" / "sequences"):
        assert row["importances"] == [float(history[seq][2] >= 4) for seq in row["seqs"]]


@dataclass(frozen=True)
class Made:
    """What was made of a drawn history, in a folder."""

    folder: Path
    dataset: Dataset
    base: Base

    def samples(self) -> list[dict[str, Any]]:
        return rows_in(self.folder / "samples")

    def asks(self) -> list[dict[str, Any]]:
        return rows_in(self.folder / "asks" / "asks")

    def train(self, *models: str) -> subprocess.CompletedProcess[str]:
        folders = (self.folder / "samples", self.folder / "asks", self.base.folder, self.folder / "models")
        argv = [sys.executable, "-m", "tests.small_training", *map(str, folders), *models]
        return subprocess.run(argv, cwd=REPO, env=python_env({}), capture_output=True, text=True, timeout=patience(300))


def made_of(spark: Any, folder: Path, schema: Schema, shares: dict[str, float]) -> Made:
    """Data set, base, samples and asks of a drawn history."""
    dataset = drawn_events(folder / "drawn", schema, shares)
    base = base_under(spark, dataset, schema, 0.9, folder / "1")
    make_samples(spark, dataset, base, folder / "samples", SampleSettings(negatives=2))
    make_ranking_lists(spark, dataset, base, folder / "asks", RankingListSettings(400, 20))
    return Made(folder, dataset, base)


@pytest.fixture(scope="module")
def clicks(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Made of clicks alone."""
    return made_of(spark, tmp_path_factory.mktemp("clicks"), SHOP, {"click": 1.0})


def test_a_shops_rows_and_lists_weigh_as_its_schema_says(spark: Any, tmp_path: Path) -> None:
    made = made_of(spark, tmp_path, SHOP, MIXED)
    history, samples, asks = int(made.base.manifest["history_rows"]), made.samples(), made.asks()
    events, weights = list(whole_rows(made.dataset, 0, history)), row_weights(made.dataset, history, SHOP)
    mean = mean_weight(weights)
    of_row: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in samples:
        of_row[row["seq"]].append(row)
    assert set(of_row) == set(
        np.flatnonzero(weights).tolist()
    )  # an impression says nothing, nor does looking once more
    first_acts: dict[tuple[int, int], int] = {}
    for seq, (user, item, kind, *_) in enumerate(events):
        if kind != IMPRESSION:
            first_acts.setdefault((user, item), seq)
    for seq, rows in of_row.items():
        user, item = events[seq][:2]
        own = [row for row in rows if row["item_id"] == item]
        assert [row["label"] for row in own] == [float(weights[seq] > 0)]
        assert all(row["importance"] == pytest.approx(abs(weights[seq]) / mean) for row in rows)
        for row in rows:
            if row["item_id"] != item:
                assert (row["label"], weights[seq] > 0) == (0.0, True)
                assert first_acts.get((user, row["item_id"]), seq + 1) > seq
    assert len(asks) > 50
    queries = query_weights(made.dataset, history, SHOP)
    for ask in asks:
        assert events[ask["seq"]][1] == ask["items"][ask["answer"]]
        assert ask["importance"] == pytest.approx(queries[ask["seq"]] / mean_weight(queries))
    for row in rows_in(tmp_path / "asks" / "sequences"):
        assert row["importances"] == pytest.approx([max(weights[seq], 0) / mean for seq in row["seqs"]])
        assert all(events[seq][2] != IMPRESSION for seq in row["seqs"])


@pytest.mark.soak
def test_items_that_a_user_knows_are_candidates_where_the_schema_hides_nothing(clicks: Made) -> None:
    rows, asks = list(whole_rows(clicks.dataset, 0, clicks.dataset.rows)), clicks.asks()
    known = sum(
        len({item for user, item, *_ in rows[: ask["seq"]] if user == ask["user_id"]} & set(ask["items"]))
        for ask in asks
    )
    assert known > len(asks)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["click", "view", "purchase"])
def test_one_kind_of_event_alone_trains_models(
    spark: Any, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """Whatever the kind weighs: with that kind alone each of its rows is as important as any."""
    made = request.getfixturevalue("clicks") if kind == "click" else made_of(spark, tmp_path, SHOP, {kind: 1.0})
    assert {row["importance"] for row in made.samples()} == {row["importance"] for row in made.asks()} == {1.0}
    read = read_samples(made.folder / "samples", ("user", "item"))
    assert read.schema == read_ranking_lists(made.folder / "asks").schema == SHOP.digest
    assert 0.1 < read.train.labels.mean() < 0.6
    meta = make_embeddings(spark, made.dataset, made.base, tmp_path / "embeddings")
    assert {each.items for each in meta.kinds.values()} == {ITEMS}

    done = made.train("neuralcf", "fusion")
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("neuralcf", "fusion"):
        manifest = newest(made.folder / "models", name)
        assert manifest is not None
        assert manifest.schema == SHOP.digest
        assert manifest.metrics["auc"] > 0.5


def matrix_of(folder: Path) -> DoubleArray:
    """[ITEMS + 1, ITEMS + 1] the weights between items that a folder holds."""
    items, starts, others, weights = (
        np.load(folder / f"{name}.npy") for name in ("items", "starts", "others", "weights")
    )
    matrix = np.zeros((ITEMS + 1, ITEMS + 1))
    matrix[np.repeat(items, np.diff(starts)), others] = weights
    return matrix


def test_one_kind_alone_gives_the_same_weights_between_items_whatever_it_weighs(spark: Any, tmp_path: Path) -> None:
    folders = []
    for kind in ("like", "purchase"):  # both repeat
        dataset = drawn_events(tmp_path / kind, SHOP, {kind: 1.0})
        folders.append(tmp_path / f"{kind}-relations")
        write_history_relations(spark, dataset, 2_000, SHOP, folders[-1], tmp_path / f"{kind}-scratch")
    for which in (EASE, SIMILAR):
        mine, other = (matrix_of(folder / which) for folder in folders)
        assert np.count_nonzero(mine) > 1_000
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-6)


def test_a_purchase_together_counts_more_than_a_look(spark: Any, tmp_path: Path) -> None:
    """Of two items that as often came after the same one, the one that was bought is nearer."""
    dataset = drawn_events(tmp_path / "drawn", SHOP, {"view": 1.0}, rows=400)
    table = pq.read_table(dataset.ratings).to_pydict()
    users = np.repeat(np.arange(200), 2)
    table["user_id"] = users.tolist()
    table["item_id"] = [item for user in range(200) for item in (1, 2 if user % 2 else 3)]
    bought = SHOP.code_of["purchase"]
    table["kind"] = [bought if user % 2 or at == 0 else SHOP.code_of["view"] for user in range(200) for at in (0, 1)]
    pq.write_table(pa.table(table), dataset.ratings)
    write_history_relations(spark, dataset, 400, SHOP, tmp_path / "relations", tmp_path / "scratch")
    for which in (EASE, SIMILAR):
        ids, others = (np.load(tmp_path / "relations" / which / f"{name}.npy") for name in ("items", "others"))
        assert ids[0] == 1
        assert others[0] == 2


def test_training_needs_data_of_the_bases_schema(clicks: Made, tmp_path: Path) -> None:
    shutil.copytree(clicks.folder / "samples", tmp_path / "samples")
    meta = tmp_path / "samples" / "meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"schema": MOVIES.digest}))
    done = replace(clicks, folder=tmp_path).train("neuralcf")
    assert done.returncode
    assert f"got schema {MOVIES.digest}, not {SHOP.digest}" in done.stderr
    assert "./martlet features makes it" in done.stderr
