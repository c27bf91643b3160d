"""The protocol of a recall channel."""

from typing import Final, Protocol

from features.arrays import IntArray
from online.query import Query

NO_LIMIT: Final = 10_000
"""A default limit that does not bind: a list has fewer candidates."""


class Recall(Protocol):
    """A recall channel. default_limit: how many candidates it returns where the policy sets no quota."""

    name: str
    default_limit: int

    def recall(self, query: Query, limit: int) -> IntArray:
        """At most `limit` allowed rows of the item store, best first; none where it finds nothing, as for an unknown user."""
