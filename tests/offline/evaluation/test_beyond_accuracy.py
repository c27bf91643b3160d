"""What lists are like beside being right: by hand on three items."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.inputs.facet_table import FacetTable
from offline.datasets.dataset import open_dataset
from offline.evaluation.beyond_accuracy import ItemPopulation, beyond, item_population
from offline.evaluation.ranking_metrics import as_list

FACETS = FacetTable(3)
for row, names in enumerate((["Drama"], ["Drama", "War"], ["War"])):
    FACETS.put(row, names)
OF = ItemPopulation(np.array([3, 5, 9]), np.array([0.5, 0.25, 0.0]), FACETS)


def test_coverage_novelty_and_diversity() -> None:
    measures = beyond(np.stack([as_list([3, 5]), as_list([5])]), OF)
    assert measures["coverage"] == pytest.approx(2 / 3)
    assert measures["novelty"] == pytest.approx((1 + 2 + 2) / 3)
    assert measures["diversity"] == pytest.approx(1 - 1 / np.sqrt(2))


def test_an_item_that_nobody_rated_is_as_new_as_half_the_rarest() -> None:
    assert beyond(np.stack([as_list([9])]), OF)["novelty"] == pytest.approx(3)


def test_no_lists_have_no_measures() -> None:
    measures = beyond(np.stack([as_list([])]), OF)
    assert measures["coverage"] == 0
    assert np.isnan(measures["novelty"])
    assert np.isnan(measures["diversity"])


def test_a_shelf_counts_the_historys_users_alone(tmp_path: Path, write_folder: Callable[..., Path]) -> None:
    rows = [(1, 10, 4.0, 1), (2, 10, 3.0, 2), (2, 11, 5.0, 3), (3, 11, 5.0, 4)]
    dataset = open_dataset(str(write_folder(rows)), tmp_path / "data")
    found = item_population(dataset, 3)
    shares = dict(zip(found.ids.tolist(), found.shares.tolist(), strict=True))
    assert (shares[10], shares[11]) == (1.0, 0.5)
    assert len(found.facets) == len(found.ids)
