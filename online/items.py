"""All items' features in memory, as columns; renewed from Redis within a second of a change.

Starts from the base, reads what Redis holds, then follows the channel on which the stream tells which items changed. After a
lost connection everything is read again, since what was told meanwhile is not known.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator

import numpy as np
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from features.base import Base
from features.inputs import Floats, Ints, ItemColumns, popularity
from features.names import ITEMS_CHANNEL, VALUE, item_key
from features.state import ItemFeatures, decode_item
from features.words import Item, ItemId

logger = logging.getLogger(__name__)

RENEW_EVERY = 0.2
CHUNK = 1000
BREATH = 16
"""Items put into the store before the event loop may serve requests again."""


class ItemStore:
    """Rows of items, and rankings over all of them that many requests share."""

    def __init__(self, base: Base) -> None:
        self.catalogue: dict[ItemId, Item] = dict(base.catalogue)
        self.genres: tuple[str, ...] = tuple(sorted({name for item in self.catalogue.values() for name in item.genres}))
        self._base = base
        ids = sorted(set(self.catalogue) | {item_id for item_id, _ in base.all_item_features()})
        self.columns = ItemColumns(len(ids), self.genres)
        self._row_of: dict[ItemId, int] = {}
        for item_id in ids:
            self._place(item_id)
        for item_id, value in base.all_item_features():
            self.columns.set_features(self._row_of[item_id], decode_item(value))
        self.version = 0
        self._popular: tuple[int, int, Ints, Floats] | None = None

    def __len__(self) -> int:
        return len(self._row_of)

    def _place(self, item_id: ItemId) -> int:
        row = len(self._row_of)
        if row >= len(self.columns):
            self.columns.grow(max(1024, row // 4))
        self._row_of[item_id] = row
        self.columns.set_item(row, item_id, self.catalogue.get(item_id))
        return row

    def row(self, item_id: ItemId) -> int | None:
        return self._row_of.get(item_id)

    def rows(self, item_ids: list[ItemId]) -> Ints:
        """Rows of those that are known."""
        return np.fromiter((self._row_of[each] for each in item_ids if each in self._row_of), np.int64)

    def similar(self, item_id: ItemId) -> Iterator[tuple[int, float]]:
        """(row, weight) of an item's neighbours in the base, best first."""
        for other, weight in self._base.similar(item_id):
            row = self._row_of.get(other)
            if row is not None:
                yield row, weight

    def put(self, item_id: ItemId, features: ItemFeatures) -> None:
        row = self._row_of.get(item_id)
        self.columns.set_features(self._place(item_id) if row is None else row, features)
        self.version += 1

    def popular(self, at: int) -> tuple[Ints, Floats]:
        """(rows, scores) of all items by decayed popularity at `at`, best first; kept until an item changes (they are renewed
        five times a second at most) or a minute of event time has gone."""
        minute = at // 60_000
        cached = self._popular
        if cached is None or cached[0] != self.version or cached[1] != minute:
            size = len(self)
            scores = popularity(self.columns, slice(0, size), at, 14.0, positives=True)
            order = np.lexsort((self.columns.ids[:size], -scores))
            cached = self._popular = (self.version, minute, order, scores[order])
        return cached[2], cached[3]


class ItemFollower:
    """Keeps an ItemStore as fresh as Redis."""

    def __init__(self, store: ItemStore, host: str, port: int) -> None:
        self._store = store
        self._client = redis.Redis(
            host=host, port=port, socket_timeout=2.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        self._task: asyncio.Task[None] | None = None
        self.fresh = False

    async def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="items")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._client.aclose()

    async def _follow(self) -> None:
        while True:
            try:
                async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(ITEMS_CHANNEL)
                    await self._read_all()
                    self.fresh = True
                    await self._listen(channel)
            except (redis.RedisError, OSError, TimeoutError) as error:
                self.fresh = False
                logger.warning("items are not followed (%s); trying again", error)
                await asyncio.sleep(0.5)

    async def _read_all(self) -> None:
        batch: list[ItemId] = []
        async for key in self._client.scan_iter(match="i:*", count=CHUNK):
            batch.append(int(key[2:]))
            if len(batch) >= CHUNK:
                await self._read(batch)
                batch = []
        await self._read(batch)

    async def _read(self, item_ids: list[ItemId]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for item_id in item_ids:
            pipe.hget(item_key(item_id), VALUE)
        for count, (item_id, value) in enumerate(zip(item_ids, await pipe.execute(), strict=True), start=1):
            if value is not None:
                self._store.put(item_id, decode_item(value))
            if count % BREATH == 0:  # each list that is shown moves its items: requests must not wait for all of them
                await asyncio.sleep(0)

    async def _listen(self, channel: redis.client.PubSub) -> None:
        loop = asyncio.get_running_loop()
        changed: set[ItemId] = set()
        renew_at = loop.time() + RENEW_EVERY
        while True:
            message = await channel.get_message(timeout=max(0.01, renew_at - loop.time()))
            if message is not None:
                changed.update(map(int, message["data"].split(b",")))
            if loop.time() >= renew_at:
                ids = list(changed)
                changed.clear()
                for start in range(0, len(ids), CHUNK):
                    await self._read(ids[start : start + CHUNK])
                renew_at = loop.time() + RENEW_EVERY
