"""The libraries of the comparison, and their settings.

Settings were found on the history's newest tenth alone (`--tune`), by a small grid around each library's defaults.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

from lenskit.als import ImplicitMFScorer
from lenskit.basic import PopScorer
from lenskit.knn import EASEScorer, ItemKNNScorer

from offline.evaluation.peers.implicit_library import ImplicitALS, ImplicitBPR
from offline.evaluation.peers.interactions import Library
from offline.evaluation.peers.lenskit_library import LensKit, LensKitPopular
from offline.evaluation.peers.recbole_library import RecBole


class Choice(NamedTuple):
    """A method of a library. positive: it learns from, and is queried with, rows of a weight above 0 only, not all rows.

    grid: the settings by name, each with the values that were tried, the one that won first.
    """

    make: Callable[..., Library]
    grid: dict[str, list[float]]
    positive: list[bool]


def _lenskit_knn(k: int, newest: int) -> Library:
    return LensKit(ItemKNNScorer(max_nbrs=k, feedback="implicit"), newest)


def _lenskit_ease(regularization: float, newest: int) -> Library:
    return LensKit(EASEScorer(regularization=regularization), newest)


def _lenskit_als(size: int, weight: float, newest: int) -> Library:
    return LensKit(ImplicitMFScorer(embedding_size=size, weight=weight), newest)


def _sasrec(epochs: int, dropout: float) -> Library:
    return RecBole("SASRec", epochs, hidden_dropout_prob=dropout, attn_dropout_prob=dropout)


CHOICES: dict[str, Choice] = {
    "lenskit popularity": Choice(lambda: LensKitPopular(PopScorer(score="count")), {}, [True, False]),
    "lenskit item-kNN": Choice(_lenskit_knn, {"k": [20, 50, 100], "newest": [5, 10, 20, 50]}, [False, True]),
    "lenskit EASE": Choice(
        _lenskit_ease, {"regularization": [1000, 300, 3000], "newest": [10, 5, 20, 50]}, [True, False]
    ),
    "lenskit ALS": Choice(
        _lenskit_als, {"size": [25, 50, 100], "weight": [5, 40], "newest": [5, 10, 20, 50]}, [True, False]
    ),
    "implicit ALS": Choice(
        ImplicitALS,
        {"factors": [256, 128], "regularization": [10.0, 1.0, 30.0], "alpha": [1, 10], "iterations": [15]},
        [True, False],
    ),
    "implicit BPR": Choice(
        ImplicitBPR,
        {
            "factors": [64, 32],
            "learning_rate": [0.05],
            "regularization": [0.01],
            "iterations": [300, 100],
            "newest": [5, 10, 20, 50],
        },
        [False, True],
    ),
    "recbole GRU4Rec": Choice(lambda epochs: RecBole("GRU4Rec", epochs), {"epochs": [10, 5]}, [True]),
    "recbole SASRec": Choice(_sasrec, {"epochs": [10, 5], "dropout": [0.2, 0.5]}, [True]),
}


def settings(choice: Choice) -> Iterator[tuple[bool, dict[str, float]]]:
    """All settings of a choice, the chosen one first."""
    for positive, values in product(choice.positive, product(*choice.grid.values())):
        yield positive, dict(zip(choice.grid, values, strict=True))
