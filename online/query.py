"""The query of one request: the input of recall and ranking, and what recall has found so far."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from features.arrays import FloatArray, IntArray
from features.inputs.moment import Moment
from features.inputs.signals import Signals
from online.vectors.vector_store import EmbeddingKind

NONE: Final = np.zeros(0, np.int64)
"""No rows."""


class Query:
    """A user at one moment, and what recall has found so far.

    new_items    rows of new items, newest first
    vectors      the kinds of item vectors in use, by name
    user_vector  the two-tower model's vector of the user; None until it has arrived
    found        results of the vector channels: (rows, inner products), by name
    orders       rows that each channel returned, best first, by the channel's name
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
