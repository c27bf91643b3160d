"""Beyond accuracy: how much of the catalogue lists show, how well known their items are, and how alike.

Novelty and diversity after P. Castells, N. Hurley, S. Vargas, Novelty and Diversity in Recommender Systems, 2015.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from features.arrays import BoolArray, DoubleArray, IntArray
from features.inputs.facet_table import FacetTable
from features.schema.tables import is_act
from features.types import ItemId, UserId
from offline.datasets.dataset import Dataset, rows_between, whole_rows


@dataclass(frozen=True)
class ItemPopulation:
    """The items that lists are drawn from.

    ids     [N] of all items that rows or the catalogue name, ascending
    shares  [N] of the history's users, those that acted on the item
    facets  of each item
    """

    ids: IntArray
    shares: DoubleArray
    facets: FacetTable


def item_population(dataset: Dataset, first: int) -> ItemPopulation:
    """The items of a data set whose first `first` rows are the history."""
    of_item: dict[ItemId, set[UserId]] = defaultdict(set)
    users: set[UserId] = set()
    known = {item.item_id for item in dataset.items}
    for batch in rows_between(dataset, 0, dataset.rows):
        known.update(batch["item_id"].to_pylist())
    for user_id, item_id, kind, *_ in whole_rows(dataset, 0, first):
        if is_act(kind):
            of_item[item_id].add(user_id)
            users.add(user_id)
    ids = sorted(known)
    facets, row_of = FacetTable(len(ids)), {item_id: row for row, item_id in enumerate(ids)}
    for item in dataset.items:
        facets.put(row_of[item.item_id], item.labels)
    shares = np.array([len(of_item.get(item_id, ())) for item_id in ids]) / max(len(users), 1)
    return ItemPopulation(np.array(ids, np.int64), shares, facets)


def beyond(lists: IntArray, of: ItemPopulation) -> dict[str, float]:
    """Measures of lists [A, TOP] of item ids:

    coverage   share of all items that any list shows
    novelty    mean of −log₂ of the share of the history's users that acted on what is shown, bits; an item that nobody acted on
               counts as one that half a user did
    diversity  mean over lists of 1 − cosine of the facets of two items in it; NaN where no list has two
    """
    indices = np.minimum(np.searchsorted(of.ids, lists), len(of.ids) - 1)
    known = of.ids[indices] == lists  # an item that was put since is left out
    rows = np.where(known, indices, 0)
    distinct = np.unique(rows[known])
    floor = 0.5 * min(of.shares[of.shares > 0], default=1.0)
    bits = -np.log2(np.maximum(of.shares, floor))[rows]
    counts = known.sum(1)
    pairs = counts * (counts - 1)
    alike = _cosines(rows, known, of.facets)[pairs > 0] / pairs[pairs > 0]
    return {
        "coverage": len(distinct) / len(of.ids),
        "novelty": float(bits[known].mean()) if known.any() else float("nan"),
        "diversity": float(1 - alike.mean()) if len(alike) else float("nan"),
    }


def _cosines(rows: IntArray, known: BoolArray, facets: FacetTable) -> DoubleArray:
    """[A] the sum of the cosines of any two of a list's items, both ways: the squared length of the sum of their unit vectors,
    less that of each with itself. rows: [A, TOP]; known: which of them count."""
    owners, _ = np.nonzero(known)
    values, starts = facets.of(rows[known])
    counts = np.diff(starts)
    kinds = max(len(facets.names), 1)
    keys, index = np.unique(np.repeat(owners, counts) * kinds + values, return_inverse=True)
    sums = np.bincount(index, np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts), len(keys))
    squared = np.bincount(keys // kinds, sums**2, len(rows))
    return np.asarray(squared - np.bincount(owners, counts > 0, len(rows)), np.float64)
