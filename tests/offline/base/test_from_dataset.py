"""A base by Spark is the plain fold's, byte for byte."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.base.reader import EASE, MANIFEST, SIMILAR, Base
from features.errors import BadInput, Broken
from features.fold.co_visits import SLOTS, Pairs, slots_of
from features.fold.item import fold_item
from features.fold.state import FOLD_VERSION, ItemFeatures, UserFeatures, decode_user, encode_features
from features.fold.user import UserState, fold_user, freeze_user
from offline.base.from_dataset import main, make_base
from offline.console import spark_message
from offline.datasets.dataset import Dataset, cut_row, event_of, open_dataset, rows_between
from offline.spark.parquet_tables import sha256
from tests.offline.conftest import Row
from tests.schemas import MOVIES

pytestmark = pytest.mark.spark

Write = Callable[..., Path]


def plain_fold(dataset: Dataset, rows: int) -> tuple[dict[int, bytes], dict[int, bytes], dict[int, bytes]]:
    """Users, items and pairs as bytes, by the fold alone."""
    catalogue = {item.item_id: item for item in dataset.items}
    mine: dict[int, list[Any]] = {}
    for batch in rows_between(dataset, 0, rows):
        for user_id, *columns in zip(*(column.to_pylist() for column in batch.columns[:5]), strict=True):
            mine.setdefault(user_id, []).append(event_of(dataset.name, user_id, *columns))
    users: dict[int, bytes] = {}
    items: dict[int, ItemFeatures] = {}
    pairs: dict[int, Pairs] = {}
    for user_id, events in mine.items():
        state = UserState(UserFeatures(user_id))
        for k, event in enumerate(events, 1):
            contribution = fold_user(state, event, catalogue.get(event.item_id), k - len(events), MOVIES).contribution
            if contribution is not None:
                fold_item(items.setdefault(event.item_id, ItemFeatures(event.item_id)), contribution, MOVIES)
                for item_id, *slot in slots_of(contribution):
                    pairs.setdefault(item_id, Pairs(item_id)).fold(*slot)
        users[user_id] = freeze_user(state)
    return (
        users,
        {item_id: encode_features(features) for item_id, features in items.items()},
        {item_id: each.encode() for item_id, each in pairs.items()},
    )


def check(base: Base, dataset: Dataset, history: float) -> None:
    users, items, pairs = plain_fold(dataset, cut_row(dataset, history))
    assert {user_id: base.stored_user(user_id) for user_id, _ in base.users()} == users
    assert dict(base.all_item_features()) == items
    assert {item_id: each.encode() for item_id, each in base.all_pairs()} == pairs
    assert list(base.pair_ids) == sorted(pairs)
    assert base.catalogue == {item.item_id: item for item in dataset.items}
    manifest = base.manifest
    assert (manifest["users"], manifest["items"], manifest["pairs"]) == (len(users), len(items), len(pairs))
    assert manifest["sha256"] == {name: sha256(base.folder / name) for name in manifest["sha256"]}
    assert manifest["catalogue_digest"] == manifest["sha256"]["catalogue.table"]
    assert (manifest["fold_version"], manifest["last_ts"]) == (FOLD_VERSION, dataset.last_ts)


@pytest.mark.parametrize(
    "history", [pytest.param(0.0, marks=pytest.mark.soak), 0.7, pytest.param(1.0, marks=pytest.mark.soak)]
)
def test_base_is_the_plain_fold(
    spark: Any, tmp_path: Path, some_rows: list[Row], write_folder: Write, history: float
) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    make_base(spark, dataset, history, tmp_path / "bases" / "3", MOVIES)
    base = Base(tmp_path / "bases" / "3")
    check(base, dataset, history)
    rows = cut_row(dataset, history)
    assert base.cut == (some_rows[rows - 1][3] * 1000 if rows else 0)
    assert [path.name for path in (tmp_path / "bases").iterdir()] == ["3"]
    # What people read says the same.
    table = pq.read_table(base.folder / "features" / "users.parquet").to_pylist()
    assert len(table) == base.user_count()
    for row in table:
        stored = base.user(row["user_id"])
        assert stored is not None
        features = decode_user(stored.features)
        assert (row["positives"], row["last_ts"]) == (features.positives, features.last_ts)
        assert row["ratings"] == sum(features.counts)
    items = pq.read_table(base.folder / "features" / "items.parquet").to_pylist()
    assert len(items) == len(dict(base.all_item_features()))
    assert all(row["popularity_14d"] <= row["events"] for row in items)


@pytest.mark.soak
def test_a_slice_of_ml_100k(spark: Any, tmp_path: Path) -> None:
    dataset = open_dataset("ml-100k", tmp_path / "data")
    make_base(spark, dataset, 0.1, tmp_path / "bases" / "1", MOVIES)
    base = Base(tmp_path / "bases" / "1")
    check(base, dataset, 0.1)
    assert max(each.n for _, each in base.all_pairs()) > SLOTS, "more co-visits than are kept"


def test_neighbours(spark: Any, tmp_path: Path, write_folder: Write) -> None:
    """Whoever likes 1 likes 2 next, then 3; 4 is liked by others; 5 is disliked by all."""
    rows = []
    for user in range(1, 31):
        liked = (1, 2, 3) if user < 21 else (4, 6)
        rows += [(user, item, 5.0, 900_000_000 + user * 1000 + at) for at, item in enumerate(liked)]
        rows.append((user, 5, 1.0, 900_000_000 + user * 1000 + 9))
        rows.append((user, liked[0], 4.0, 900_000_000 + user * 1000 + 20))  # again: no neighbour of itself
    dataset = open_dataset(str(write_folder(rows)), tmp_path / "data")
    make_base(spark, dataset, 1.0, tmp_path / "1", MOVIES)
    base = Base(tmp_path / "1")
    ids = np.arange(1, 100)

    def near(kind: str, item_id: int) -> dict[int, float]:
        rows, weights = base.relations(kind, ids).near(item_id - 1)
        return dict(zip(ids[rows].tolist(), weights.tolist(), strict=True))

    assert list(near(SIMILAR, 2)) == [1, 3]
    assert near(SIMILAR, 5) == near(SIMILAR, 99) == {}
    assert list(near(SIMILAR, 4)) == [6]
    for item_id in (1, 2, 3, 4, 6):
        weights = list(near(SIMILAR, item_id).values())
        assert weights == sorted(weights, reverse=True)
        assert all(weight > 0 for weight in weights)
        for other, weight in near(SIMILAR, item_id).items():
            assert near(SIMILAR, other)[item_id] == weight
    # Who likes one of the three likes the others; what they disliked counts by its share.
    of_two = near(EASE, 2)
    assert (set(list(of_two)[:2]), list(of_two)[2:]) == ({1, 3}, [5])
    assert of_two[5] < 0.5 * of_two[1]
    assert list(near(EASE, 4)) == [6, 5]
    # 20 users: 1 and 2 once a step apart, once two (the re-rating); 20 · (2^-½ + 3^-½) / (√(40 · 20) + 10)
    assert near(SIMILAR, 1)[2] == pytest.approx(20 * (2**-0.5 + 3**-0.5) / (800**0.5 + 10), rel=1e-4)


def test_what_can_not_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], some_rows: list[Row], write_folder: Write
) -> None:
    folder = str(write_folder(some_rows))
    taken = tmp_path / "bases" / "1"
    taken.mkdir(parents=True)
    (taken / MANIFEST).write_text(json.dumps({}))
    for argv, said in (
        (["--out", str(tmp_path / "bases" / "one")], "a folder named by a whole number"),
        (["--out", str(taken)], "a number that is not taken"),
        (["--out", str(tmp_path / "bases" / "2"), "--history", "1.5"], "a share from 0 to 1"),
        (["--out", str(tmp_path / "bases" / "2"), "--dataset", "nowhere"], "a folder, none, or one of"),
    ):
        assert main(["--dataset", folder, "--data-dir", str(tmp_path / "data"), *argv]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert said in error
        assert error.count("\n") == 1


def test_a_failing_worker_leaves_nothing(spark: Any, tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    table = pq.read_table(dataset.ratings)
    nothing = pa.nulls(len(table), pa.int64())
    at = table.schema.get_field_index("centi")
    pq.write_table(table.set_column(at, "centi", nothing), dataset.ratings)
    with pytest.raises(Exception, match="TypeError") as caught:
        make_base(spark, dataset, 1.0, tmp_path / "bases" / "1", MOVIES)
    assert not list((tmp_path / "bases").iterdir())
    line = spark_message(caught.value)
    assert line is not None
    assert line.startswith("TypeError: '<' not supported")
    assert spark_message(ValueError("ours")) is None


def test_a_broken_file(spark: Any, tmp_path: Path, some_rows: list[Row], write_folder: Write) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    dataset.ratings.write_bytes(dataset.ratings.read_bytes()[:-20])
    with pytest.raises(Broken, match=r"rows\.json and start again"):
        make_base(spark, dataset, 1.0, tmp_path / "bases" / "1", MOVIES)


def test_bad_number(tmp_path: Path, spark: Any, some_rows: list[Row], write_folder: Write) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data")
    with pytest.raises(BadInput, match="whole number"):
        make_base(spark, dataset, 1.0, tmp_path / "x", MOVIES)
