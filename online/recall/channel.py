"""What a recall channel is asked and what it answers."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.inputs import ClickWeights, Ints
from features.state import UserFeatures
from online.items import ItemStore


@dataclass(frozen=True)
class Query:
    """One request as recall sees it.

    allowed  [rows of the store] bool: False for items that may not be shown (seen, excluded, of another genre)
    """

    user: UserFeatures
    at: int
    items: ItemStore
    weights: ClickWeights
    allowed: npt.NDArray[np.bool_]


class Recall(Protocol):
    """A way to find candidates. `recall` gives rows of the item store, best first, at most `limit`, allowed ones only;
    none where the channel has nothing to say (an unknown user, say)."""

    name: str

    def recall(self, query: Query, limit: int) -> Ints: ...
