"""Rows that share a time, in another order: by a seed or by id; all else stays."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import BadInput, Broken
from offline.datasets.dataset import open_dataset, whole_rows
from offline.datasets.dataset_names import TAKEN
from offline.datasets.tie_order import order_ties

Write = Callable[..., Path]
ROWS = [(user, item, 4.0, second) for second in (1000, 1001) for user in (2, 10) for item in (9, 30, 4)]


def order_of(folder: Path, data_dir: Path) -> list[tuple[int, int, int]]:
    dataset = open_dataset(str(folder), data_dir)
    return [(row[4] // 1000, row[0], row[1]) for row in whole_rows(dataset, 0, dataset.rows)]


@pytest.fixture
def taken(tmp_path: Path, write_folder: Write) -> tuple[Path, Path]:
    data_dir = tmp_path / "data"
    return data_dir / open_dataset(str(write_folder(ROWS)), data_dir).name, data_dir


def test_by_id_all_users_have_one_order(taken: tuple[Path, Path]) -> None:
    order_ties(taken[0], "id")
    assert order_of(*taken) == sorted((second, user, item) for user, item, _, second in ROWS)


def test_each_seed_draws_an_order_of_its_own_within_the_second(taken: tuple[Path, Path]) -> None:
    orders = []
    for seed in ("1", "2", "1"):
        order_ties(taken[0], "id")
        order_ties(taken[0], seed)
        orders.append(order_of(*taken))
    assert orders[0] == orders[2] != orders[1]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert all([second for second, *_ in order] == sorted(row[3] for row in ROWS) for order in orders)
    users = [[user for _, user, _ in order] for order in orders]
    assert users[0] != sorted(users[0])
    assert json.loads((taken[0] / TAKEN).read_text())["ties"] == "1"


def test_an_order_that_there_is_not_and_a_folder_that_is_none_are_refused(
    taken: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="--ties: expected id or a whole number"):
        order_ties(taken[0], "name")
    with pytest.raises(Broken, match="holds no data set that was taken"):
        order_ties(tmp_path, "1")
