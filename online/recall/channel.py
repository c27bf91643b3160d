"""What a recall channel is asked and what it answers."""

from typing import Final, Protocol

from features.arrays import IntArray
from online.query import Query

ALL: Final = 10_000
"""More than a list has candidates."""


class Recall(Protocol):
    """A way to find candidates. `recall` gives rows of the item store, best first, at most `limit`, allowed ones only; none
    where the channel has nothing to say (an unknown user, say). most: how many it gives where no policy says otherwise."""

    name: str
    default_limit: int

    def recall(self, query: Query, limit: int) -> IntArray: ...
