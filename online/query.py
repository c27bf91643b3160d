"""One request as recall and ranking see it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from features.arrays import FloatArray, IntArray
from features.inputs.signals import Moment, Signals
from online.vectors.vector_store import EmbeddingKind

NONE: Final = np.zeros(0, np.int64)
"""No rows."""


class Query:
    """One request as recall and ranking see it: a user at a time, and what was found so far.

    news         rows of new items, newest first
    vectors      kinds of item vectors that are there, by name
    user_vector  the two-tower model's, once it has come
    found        what vectors found: (rows, inner products), by name
    orders       what each channel gave, by its name
    """

    def __init__(
        self, moment: Moment, new_items: IntArray = NONE, vectors: Mapping[str, EmbeddingKind] = MappingProxyType({})
    ) -> None:
        self.moment = moment
        self.new_items = new_items
        self.vectors = vectors
        self.user_vector: FloatArray | None = None
        self.signals = Signals(moment)
        self.found: dict[str, tuple[IntArray, FloatArray]] = {}
        self.orders: dict[str, IntArray] = {}
