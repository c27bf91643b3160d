"""What the inputs of models are called, and what those of one model were made by: the meaning of columns, the vocabulary of
facets, each column's mean and spread."""

from typing import Final

import msgspec

from features.inputs.facet_vocabulary import Vocabulary

HISTORY_INPUTS: Final = ("history", "history_marks", "history_gaps")
ID_INPUTS: Final = ("userId", "movieId")
COLUMN_INPUTS: Final = ("user", "item", "cross")
"""The inputs that are normalised by maps."""
OF_USER: Final = ("userId", "user", *HISTORY_INPUTS)
"""The inputs that are the same for all candidates of a request."""
INPUT_NAMES: Final = (*ID_INPUTS, *COLUMN_INPUTS, *HISTORY_INPUTS, "signals")
"""userId, movieId               int64 [n]
history, history_marks        int64 [n, L], history_gaps int64 [n, L + 1]: see `features.inputs.history`
user, item, cross             float32 [n, U + 3(G + 1)], [n, I + G + 1], [n, C], normalised
signals                       float32 [n, S]: see `features.inputs.signals`"""

INPUTS_VERSION: Final = 2
"""Rises when a column changes its meaning: a model trained on another version is not served. A signal that finds its items better
means what it meant: models of before rank on, until they are trained anew."""


class InputMaps(msgspec.Struct, frozen=True):
    """What offline computes for a model: the vocabulary, and mean and spread of each column. It is part of the manifest.

    vocabulary           G facet values, the order of their columns
    user_mean, user_std  U + 3(G + 1) numbers each; item_mean, item_std  I + G + 1; cross_mean, cross_std  C. The spread of a
                         column that never varied is 0 (see `normalise`)
    """

    vocabulary: Vocabulary = ()
    user_mean: tuple[float, ...] = ()
    user_std: tuple[float, ...] = ()
    item_mean: tuple[float, ...] = ()
    item_std: tuple[float, ...] = ()
    cross_mean: tuple[float, ...] = ()
    cross_std: tuple[float, ...] = ()
    version: int = INPUTS_VERSION
