"""Beyond accuracy: how much of the catalogue lists show, how well known their items are, and how alike.

Novelty and diversity after P. Castells, N. Hurley, S. Vargas, Novelty and Diversity in Recommender Systems, 2015.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from features.arrays import DoubleArray, IntArray
from features.contracts.items import genre_names
from features.schema.tables import is_act
from features.types import ItemId, UserId
from models.training.row_metrics import TOP
from offline.datasets.dataset import Dataset, rows_between
from offline.datasets.event_rows import event_rows


@dataclass(frozen=True)
class ItemPopulation:
    """The items that lists are drawn from.

    ids     [N] of all items that rows or the catalogue name, ascending
    shares  [N] of the history's users, those that acted on the item
    genres  [N, G] 1 where the item has the genre
    """

    ids: IntArray
    shares: DoubleArray
    genres: DoubleArray


def item_population(dataset: Dataset, first: int) -> ItemPopulation:
    """The items of a data set whose first `first` rows are the history."""
    of_item: dict[ItemId, set[UserId]] = defaultdict(set)
    users: set[UserId] = set()
    known = {item.item_id for item in dataset.items}
    for batch in rows_between(dataset, 0, dataset.rows):
        known.update(batch["item_id"].to_pylist())
    for user_id, item_id, kind, _, _ in event_rows(dataset, 0, first):
        if is_act(kind):
            of_item[item_id].add(user_id)
            users.add(user_id)
    ids = sorted(known)
    names = genre_names(dataset.items)
    catalogue = {item.item_id: item for item in dataset.items}
    genres = np.zeros((len(ids), len(names)))
    for row, item_id in enumerate(ids):
        for genre in catalogue[item_id].labels if item_id in catalogue else ():
            genres[row, names.index(genre)] = 1
    shares = np.array([len(of_item.get(item_id, ())) for item_id in ids]) / max(len(users), 1)
    return ItemPopulation(np.array(ids, np.int64), shares, genres)


def beyond(lists: IntArray, of: ItemPopulation) -> dict[str, float]:
    """Measures of lists [A, TOP] of item ids:

    coverage   share of all items that any list shows
    novelty    mean of −log₂ of the share of the history's users that acted on what is shown, bits; an item that nobody acted on
               counts as one that half a user did
    diversity  mean over lists of 1 − cosine of the genres of two items in it; NaN where no list has two
    """
    indices = np.minimum(np.searchsorted(of.ids, lists), len(of.ids) - 1)
    known = of.ids[indices] == lists  # an item that was put since is left out
    rows = np.where(known, indices, 0)
    distinct = np.unique(rows[known])
    floor = 0.5 * min(of.shares[of.shares > 0], default=1.0)
    bits = -np.log2(np.maximum(of.shares, floor))[rows]
    unit = of.genres / np.maximum(np.linalg.norm(of.genres, axis=1, keepdims=True), 1e-9)
    counts = known.sum(1)
    # The sum of all cosines in a list is the squared length of the sum of its unit vectors.
    sums = np.zeros((len(lists), unit.shape[1]))
    selves = np.zeros(len(lists))
    for rank in range(TOP):
        vectors = unit[rows[:, rank]] * known[:, rank, None]
        sums += vectors
        selves += (vectors**2).sum(1)
    pairs = counts * (counts - 1)
    alike = ((sums**2).sum(1) - selves)[pairs > 0] / pairs[pairs > 0]
    return {
        "coverage": len(distinct) / len(of.ids),
        "novelty": float(bits[known].mean()) if known.any() else float("nan"),
        "diversity": float(1 - alike.mean()) if len(alike) else float("nan"),
    }
