"""Follows items' features in Redis: reads all of them, then those that the job's stream of changes names.

After a lost connection it goes on where it was: all is read again only where the stream does not have that entry any more, after
a long time or in a Redis that was emptied.
"""

import asyncio
import logging
from typing import Any

import msgspec
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from features.fold.co_visits import decode_neighbours
from features.fold.state import decode_item
from features.keys import CHANGED_KEYS, ITEM_KEYS, ITEMS_STREAM, PAIRS_KEYS, VALUE, item_of
from online.stores.item_store import ItemStore
from online.support import metrics
from online.support.background import end

logger = logging.getLogger(__name__)

REFRESH_EVERY = 0.2
CHUNK = 1000
RETRY_SECONDS = 0.5
WAIT, LATE, GIVE_UP = 1.0, 0.5, 10.0
"""Seconds that Redis may wait for a change before it answers that there is none; by which that answer may be late before items
are not fresh any more; and until the connection is given up."""
AWAY = 5.0
"""Seconds without a read after which the stream may have dropped entries that were not read."""
YIELD_EVERY = 16
"""Items put into the store before control returns to the event loop."""


class ItemFollower:
    """Keeps an ItemStore in step with Redis; `fresh` is whether it is: not while Redis does not answer, either."""

    def __init__(self, store: ItemStore, host: str, port: int) -> None:
        self._store = store
        self._client = redis.Redis(
            host=host, port=port, socket_timeout=WAIT + GIVE_UP, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        self._task: asyncio.Task[None] | None = None
        self._read_up_to = b""
        """The id of the stream's entry that was read last; empty before any."""
        self.fresh = False

    async def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="items")

    async def stop(self) -> None:
        await end(self._task)
        await self._client.aclose()

    async def _follow(self) -> None:
        while True:
            try:
                if not await self._has_entry(self._read_up_to):
                    newest = await self._newest_entry()
                    await self._read_all()
                    self._read_up_to = newest
                await self._read_changes()
            except (redis.RedisError, OSError, TimeoutError) as error:
                self.fresh = False
                logger.warning("items are not followed (%s); trying again", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                self.fresh = False
                logger.exception("items are not followed; trying again")
                await asyncio.sleep(RETRY_SECONDS)

    async def _has_entry(self, entry: bytes) -> bool:
        """Whether the stream still has an entry, and so all that came after it."""
        return bool(await self._client.xrange(ITEMS_STREAM, min=entry, max=entry)) if entry else False

    async def _newest_entry(self) -> bytes:
        """The id of the stream's newest entry; empty where it has none."""
        newest: Any = await self._client.xrevrange(ITEMS_STREAM, count=1)
        return newest[0][0] if newest else b""

    async def _read_all(self) -> None:
        for pattern in (ITEM_KEYS, PAIRS_KEYS):  # features first: co-visits of items without a row are ignored
            batch: list[str] = []
            async for key in self._client.scan_iter(match=pattern, count=CHUNK):
                batch.append(key.decode())
                if len(batch) >= CHUNK:
                    await self._read(batch)
                    batch = []
            await self._read(batch)

    async def _read(self, keys: list[str]) -> None:
        pipe = self._client.pipeline(transaction=False)
        for key in keys:
            pipe.hget(key, VALUE)
        values = await pipe.execute(raise_on_error=False)
        for count, (key, value) in enumerate(zip(keys, values, strict=True), start=1):
            if isinstance(value, redis.ResponseError):  # of another type: it is nothing of ours
                metrics.UNREADABLE.labels("item").inc()
            elif value is not None:
                self._put(key, value)
            if count % YIELD_EVERY == 0:  # every shown list changes its items: requests must not wait for all
                await asyncio.sleep(0)

    def _put(self, key: str, value: bytes) -> None:
        try:
            if (item_id := item_of(key)) is not None:
                self._store.put_features(item_id, decode_item(value))
            else:
                self._store.put_neighbours(decode_neighbours(value))
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            metrics.UNREADABLE.labels("item").inc()
            logger.warning("Redis holds nothing of an item under %s (%s): what was known of it stays", key, error)

    async def _read_changes(self) -> None:
        """Read what changes, from the entry read last on, until Redis can't be read, or has not been for long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < AWAY:
            began = loop.time()
            entries = await self._next_entries()
            keys = {key for _, fields in entries for key in fields[CHANGED_KEYS.encode()].decode().split(",")}
            ordered = sorted(keys)  # sorted: an item's features come before its neighbours
            for start in range(0, len(ordered), CHUNK):
                await self._read(ordered[start : start + CHUNK])
            self.fresh = True
            if entries:
                self._read_up_to = entries[-1][0]
                await asyncio.sleep(REFRESH_EVERY)

    async def _next_entries(self) -> list[Any]:
        """(id, fields) of the next entries; none after WAIT s without any. Items are not fresh while that takes longer. Raises
        TimeoutError after GIVE_UP s."""
        after: dict[Any, Any] = {ITEMS_STREAM: self._read_up_to or "0"}
        reading = asyncio.ensure_future(self._client.xread(after, block=int(WAIT * 1000)))
        try:
            answered, _ = await asyncio.wait({reading}, timeout=WAIT + LATE)
            if not answered:
                self.fresh = False
            found: Any = await asyncio.wait_for(asyncio.shield(reading), GIVE_UP)
        finally:
            reading.cancel()
        return found[0][1] if found else []
