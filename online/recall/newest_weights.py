"""Weights between items as the newest base has them, taken over while the API serves.

What users and items have done is in Redis, and goes on from the base that the home started from. Weights are a base's alone: one
that is made meanwhile, each night by the learner or by `./martlet features`, has newer ones of the same items.
"""

import asyncio
import logging
from typing import Final, NamedTuple

from features.arrays import IntArray
from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.base.reader import EASE, MANIFEST, SIMILAR, Base
from features.base.repeat_lifts import Repeats
from features.base.segments import Segments
from online.stores.item_store import ItemStore
from online.support.background import end, repeat

logger = logging.getLogger(__name__)

POLL: Final = 5.0
"""Seconds between two looks for a newer base."""
NAME: Final = "item weights"
"""By which what was refused is named."""


class ItemWeights(NamedTuple):
    """What a base has of weights between items."""

    ease: Relations
    similar: Relations
    sessions: PastSessions
    repeats: Repeats
    segments: Segments


class NewestWeights:
    """Takes over the weights of the newest base beside the one that the home started from.

    number   of the base whose weights are in use
    refused  ("item weights", number of a base that could not be read) → why
    """

    def __init__(self, base: Base, store: ItemStore) -> None:
        self._bases, self._schema, self._store = base.folder.parent, base.schema, store
        self.number = int(base.folder.name)
        self.refused: dict[tuple[str, int], str] = {}
        self._foreign: set[int] = set()
        self._took_early = False
        """Whether they were taken before all items since the base were known: then once more."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(repeat("item weights", self.refresh, every=POLL), name="item weights")

    async def stop(self) -> None:
        await end(self._task)

    async def refresh(self) -> None:
        """Take over the weights of a newer base, where there is one. One that can't be read is refused, for good."""
        number = await asyncio.to_thread(self._newest)
        if number is None:
            return
        ids, is_early = self._store.columns.ids[: len(self._store)].copy(), self._store.lacks_changes
        self._took_early = False  # once more, but not for ever: a file may have gone meanwhile
        try:
            weights = await asyncio.to_thread(self._read, number, ids)
        except Exception as error:  # a bad file, or no memory: those in use stay
            self.refused[NAME, number] = f"{type(error).__name__}: {error}"
            logger.warning("item weights of base %d are not used: %s: %s", number, type(error).__name__, error)
            return
        if weights is None:
            self._foreign.add(number)
            return
        self._store.take_weights(*weights)
        self.number, self._took_early = number, is_early
        logger.info("item weights of base %d", number)

    def _newest(self) -> int | None:
        """The newest complete base that has not been looked at, or is to be looked at again; runs in a worker thread."""
        if self._took_early and not self._store.lacks_changes:
            return self.number
        known = {self.number, *self._foreign, *(number for _, number in self.refused)}
        found = (path.parent for path in self._bases.glob(f"*/{MANIFEST}"))
        numbers = [int(folder.name) for folder in found if folder.name.isdecimal()]
        return max((number for number in numbers if number > self.number and number not in known), default=None)

    def _read(self, number: int, ids: IntArray) -> ItemWeights | None:
        """The weights of a base between items in rows (ids [N]); None where events meant something else to it, or its ids are
        others. Raises Broken."""
        base = Base(self._bases / str(number))
        if (base.schema.digest, base.schema.ids.salt) != (self._schema.digest, self._schema.ids.salt):
            return None
        ease, similar = (base.relations(kind, ids) for kind in (EASE, SIMILAR))
        return ItemWeights(ease, similar, base.past_sessions(ids), base.repeats(ids), base.segments(ids))
