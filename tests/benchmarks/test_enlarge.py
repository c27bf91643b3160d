"""A larger data set is the small one several times over, by other users, hardly earlier or later."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.enlarge import enlarge
from features.errors import BadInput
from features.units import DAY_S
from offline.datasets.dataset import Dataset, open_dataset, rows_between

Row = tuple[int, int, float, int]


@pytest.fixture
def small(tmp_path: Path) -> Dataset:
    return open_dataset("ml-100k", tmp_path / "data")


def rows_of(dataset: Dataset) -> list[Row]:
    return [
        (row["user_id"], row["item_id"], row["centi"] / 100, row["ts"])
        for batch in rows_between(dataset, 0, dataset.rows)
        for row in batch.to_pylist()
    ]


def by_user(rows: list[Row]) -> dict[int, list[Row]]:
    users: dict[int, list[Row]] = {}
    for row in rows:
        users.setdefault(row[0], []).append(row)
    return users


def test_every_user_comes_again_as_another_who_does_the_same(small: Dataset, tmp_path: Path) -> None:
    assert enlarge(small, 3, tmp_path / "ml-x3", seed=1) == 3 * small.rows
    large = open_dataset(str(tmp_path / "ml-x3"), tmp_path / "data")
    assert (large.name, large.rows, large.rejected, large.duplicates) == ("ml-x3", 3 * small.rows, 0, 0)
    assert large.items == small.items
    assert (large.first_ts, large.last_ts) == (small.first_ts, small.last_ts)
    originals, found = by_user(rows_of(small)), by_user(rows_of(large))
    assert set(found) == {user + copy * 1000 for user in originals for copy in range(3)}
    shifts = []
    for user, original in originals.items():
        assert found[user] == original
        for copy in (1, 2):
            again = found[user + copy * 1000]
            assert Counter(row[1:3] for row in again) == Counter(row[1:3] for row in original)
            shift = again[0][3] - original[0][3]
            assert [row[3] - shift for row in again] == [row[3] for row in original]
            shifts.append(shift)
    assert max(map(abs, shifts)) <= DAY_S * 1000
    assert len(set(shifts)) > len(originals)
    later = sum(shift > 0 for shift in shifts) / len(shifts)
    assert 0.4 < later < 0.6


def test_the_seed_decides(small: Dataset, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        enlarge(small, 2, tmp_path / name, seed)
    first, same, other = ((tmp_path / name / "ratings.csv").read_bytes() for name in "abc")
    assert first == same != other


def test_what_does_not_fit_is_refused(small: Dataset, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="user ids up to"):
        enlarge(small, 10**17, tmp_path / "many", seed=1)
    enlarge(small, 1, tmp_path / "one", seed=1)
    assert rows_of(open_dataset(str(tmp_path / "one"), tmp_path / "data")) == rows_of(small)
    with pytest.raises(BadInput, match="a folder without a data set"):
        enlarge(small, 2, tmp_path / "one", seed=1)


def test_with_items_of_its_own_each_copy_is_a_catalogue_apart(small: Dataset, tmp_path: Path) -> None:
    enlarge(small, 2, tmp_path / "apart", seed=1, own_items=True)
    large = open_dataset(str(tmp_path / "apart"), tmp_path / "data")
    ids = {item.item_id for item in small.items}
    assert {item.item_id for item in large.items} == ids | {item_id + 10_000 for item_id in ids}
    rated = {user: {row[1] for row in rows} for user, rows in by_user(rows_of(large)).items()}
    assert all((item > 10_000) == (user > 1000) for user, items in rated.items() for item in items)
