"""What weights between items are made of."""

from collections.abc import Callable
from pathlib import Path

from features.base.reader import EASE, REPEATS, SEGMENTS, SESSIONS, SIMILAR
from offline.datasets.dataset import open_dataset, rows_between
from offline.item_weights.build import remove_unserved, taken
from tests.offline.conftest import Row
from tests.schemas import MOVIES, SHOP


def test_what_was_rated_low_was_taken_too(
    some_rows: list[Row], write_folder: Callable[..., Path], tmp_path: Path
) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data", MOVIES)
    users, items, weights = taken(dataset, 300, MOVIES)
    rows = [row for batch in rows_between(dataset, 0, 300) for row in batch.to_pylist()]
    assert users.tolist() == [row["user_id"] for row in rows]
    assert items.tolist() == [row["item_id"] for row in rows]
    assert (weights > 0).tolist() == [row["centi"] >= 400 for row in rows]


def test_what_goes_by_no_value_and_says_nothing_was_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    events = ["u1,a,add_to_cart,1000", "u1,a,remove_from_cart,1001", "u1,b,impression,1002", "u2,b,purchase,1003"]
    (folder / "events.csv").write_text("\n".join(["user,item,event,timestamp", *events]) + "\n")
    dataset = open_dataset(str(folder), tmp_path / "data", SHOP)
    _, items, weights = taken(dataset, dataset.rows, SHOP)
    assert len(items) == 2
    assert (weights > 0).all()


def test_what_a_base_of_before_lacks_is_not_learned_from(tmp_path: Path) -> None:
    every = {EASE, SIMILAR, SESSIONS, REPEATS, SEGMENTS}
    for lacks in (set(), {SEGMENTS}, {SEGMENTS, REPEATS}, {SEGMENTS, REPEATS, SESSIONS}):
        made, served = tmp_path / f"made {len(lacks)}", tmp_path / f"served {len(lacks)}"
        for kind in every:
            (made / kind).mkdir(parents=True)
        for kind in every - lacks:
            (served / kind).mkdir(parents=True)
        remove_unserved(made, served)
        assert {path.name for path in made.iterdir()} == every - lacks
