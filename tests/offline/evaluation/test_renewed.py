"""Models that are made anew on the way, and whose weights go on by slices of it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.base.reader import RELATIONS, Base
from features.errors import BadInput
from offline.datasets.dataset import Dataset, open_dataset
from offline.evaluation.methods.model_methods import ModelMethod
from offline.evaluation.prequential import QueryLists, prequential
from offline.evaluation.protocol import protocol_rows
from offline.evaluation.ranking_metrics import Queries
from offline.evaluation.renewed import Stage, renewed_lists, title
from tests.seed import DATASET, HISTORY, seed

pytestmark = [pytest.mark.keras, pytest.mark.soak]

FIRST, SECOND, ROWS = 600, 750, 1000


@pytest.fixture(scope="module")
def folder(seeds: Path) -> Path:
    return seed(HISTORY, seeds)


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    """The first thousand rows of MovieLens 100K."""
    return replace(open_dataset(DATASET, folder / "data", Base(folder / "base" / "1").schema), rows=ROWS)


def stage(folder: Path, rows: int) -> Stage:
    """What ranks from a row on: the seed's weights and model, which learned from many more rows."""
    base = Base(folder / "base" / "1")
    stub: Any = SimpleNamespace(
        manifest={"history_rows": rows, "number": 1}, schema=base.schema, folder=base.folder, cut=1 << 60
    )
    return Stage(stub, folder / "models")


def catalogue(dataset: Dataset) -> Any:
    return {item.item_id: item for item in dataset.items}


def amid_a_page(folder: Path, dataset: Dataset) -> int:
    """The first row behind the one that opens a page, where none of the page's queries has come yet."""
    rows = protocol_rows(dataset, Base(folder / "base" / "1").schema, FIRST, ROWS, Queries())
    return next(row.number + 1 for row in rows if row.opens_page and not row.is_query)


@pytest.fixture(scope="module")
def plain(folder: Path, dataset: Dataset) -> QueryLists:
    """What the model gives as it is."""
    first = stage(folder, FIRST)
    relations = first.base.folder / RELATIONS
    method = {"plain": ModelMethod(first.version("fusion"))}
    return prequential(dataset, catalogue(dataset), relations, first.base.schema, FIRST, method)


def test_each_row_is_ranked_by_its_stage_and_weights_learn_what_is_liked(
    folder: Path, dataset: Dataset, plain: QueryLists, tmp_path: Path
) -> None:
    stages = [stage(folder, rows) for rows in (FIRST, amid_a_page(folder, dataset), SECOND)]
    found = renewed_lists(dataset, catalogue(dataset), stages, ["fusion"], tmp_path, positives=20)
    anew, learning, both = title("fusion", 2), title("fusion", 0, True), title("fusion", 2, True)
    assert set(found.lists) == set(found.page_lists) == {anew, learning, both}
    for lists, expected in ((found.lists, plain.lists["plain"]), (found.page_lists, plain.page_lists["plain"])):
        np.testing.assert_array_equal(lists[anew], expected, "each stage has the same weights here")
        for name in (learning, both):
            differs = (lists[name] != expected).any(axis=1)
            assert differs.any()
            assert not differs[:10].any(), "nothing was learned yet"
    slices = [sorted(each.name for each in (tmp_path / f"fusion-{work}").iterdir()) for work in ("0-on", 0, 1, 2)]
    assert len(slices[0]) >= sum(map(len, slices[1:])) >= 1, "each stage begins with its own weights"


def test_stages_that_do_not_follow_one_another_are_refused(folder: Path, dataset: Dataset, tmp_path: Path) -> None:
    stages = [stage(folder, SECOND), stage(folder, FIRST)]
    with pytest.raises(BadInput, match=r"--renewed: expected bases of longer and longer histories, up to 1000 rows"):
        renewed_lists(dataset, catalogue(dataset), stages, ["fusion"], tmp_path, positives=20)
