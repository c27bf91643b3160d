"""Follows items' features in Redis: reads all of them, then those that the job's stream of changes names.

After a lost connection it goes on where it was: all is read again only where the stream does not have that entry any more, after
a long time or in a Redis that was emptied.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from hiredis import ReplyError, pack_command

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import Server
from features.errors import Unavailable
from features.fold.co_visits import decode_neighbours
from features.fold.state import decode_item
from features.keys import ITEM_KEYS, ITEMS_STREAM, PAIRS_KEYS, VALUE, item_of
from online.redis_client.redis_reader import RedisReader
from online.stores.item_store import ItemStore
from online.support import metrics
from online.support.background import end

logger = logging.getLogger(__name__)

REFRESH_EVERY = 0.2
CHUNK = 1000
RETRY_SECONDS = 0.5
READS = 3
"""How often all items are read, one time after another, while slots move."""
WAIT, LATE, GIVE_UP = 1.0, 0.5, 10.0
"""Seconds that Redis may wait for a change before it answers that there is none; by which that answer may be late before items
are not fresh any more; and until the connection is given up."""
AWAY = 5.0
"""Seconds without a read after which the stream may have dropped entries that were not read."""
YIELD_EVERY = 16
"""Items put into the store before control returns to the event loop."""


class ItemFollower:
    """Keeps an ItemStore in step with Redis; `fresh` is whether it is: not while Redis does not answer, either."""

    def __init__(self, store: ItemStore, address: RedisAddress) -> None:
        self._store = store
        self._reader = RedisReader(address)
        self._changes = RedisReader(address)
        """On connections of its own, since Redis answers nothing else on one on which it waits for a change."""
        self._task: asyncio.Task[None] | None = None
        self._read_up_to = b""
        """The id of the stream's entry that was read last; empty before any."""
        self.fresh = False

    async def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="items")

    async def stop(self) -> None:
        await end(self._task)
        await self._reader.close()
        await self._changes.close()

    async def _follow(self) -> None:
        while True:
            try:
                if not await self._has_entry(self._read_up_to):
                    self.fresh = False
                    newest = await self._newest_entry()
                    await self._read_all()
                    self._read_up_to = newest
                await self._read_changes()
            except (Unavailable, TimeoutError) as error:
                self.fresh = False
                logger.warning("items are not followed (%s); trying again", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                self.fresh = False
                logger.exception("items are not followed; trying again")
                await asyncio.sleep(RETRY_SECONDS)

    async def _has_entry(self, entry: bytes) -> bool:
        """Whether the stream still has an entry, and so all that came after it."""
        return bool(await self._read_stream("XRANGE", ITEMS_STREAM, entry, entry)) if entry else False

    async def _newest_entry(self) -> bytes:
        """The id of the stream's newest entry; empty where it has none."""
        newest = await self._read_stream("XREVRANGE", ITEMS_STREAM, "+", "-", "COUNT", 1)
        return bytes(newest[0][0]) if newest else b""

    async def _read_stream(self, *command: str | bytes | int) -> Any:
        async with asyncio.timeout(GIVE_UP):
            (found,) = await self._reader.read(ITEMS_STREAM, [pack_command(command)])
        return found

    async def _read_all(self) -> None:
        """Read all items; once more where a slot has moved meanwhile, for it may have gone behind the reader's back. Raises
        Unavailable where slots go on moving."""
        for _ in range(READS):
            owners = await self._reader.owners()
            for pattern in (ITEM_KEYS, PAIRS_KEYS):  # features first: co-visits of items without a row are ignored
                async for batch in self._scan(pattern):
                    await self._read(batch)
            if await self._reader.owners() == owners:
                return
        raise Unavailable(f"slots have moved while all items were read, {READS} times")

    async def _scan(self, pattern: str) -> AsyncIterator[list[str]]:
        """Yields the keys of a pattern, some CHUNK at once."""
        async with asyncio.timeout(GIVE_UP):
            begun: dict[Server, Any] = await self._reader.read_everywhere(_scan_command(b"0", pattern))
        for server, reply in begun.items():
            while True:
                cursor, keys = reply
                yield [key.decode() for key in keys]
                if cursor == b"0":
                    break
                async with asyncio.timeout(GIVE_UP):
                    reply = await self._reader.read_at(server, _scan_command(cursor, pattern))

    async def _read(self, keys: list[str]) -> None:
        async with asyncio.timeout(GIVE_UP):
            values = await self._reader.read_each([(key, pack_command(("HGET", key, VALUE))) for key in keys])
        for count, (key, value) in enumerate(zip(keys, values, strict=True), start=1):
            if isinstance(value, ReplyError):
                if not str(value).startswith("WRONGTYPE"):
                    raise Unavailable(f"Redis: {value}")
                metrics.UNREADABLE.labels("item").inc()  # of another type: it is nothing of ours
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
        """Read what changes, from the entry read last on, until Redis can't be read, has not been for long, or does not have that
        entry any more."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < AWAY:
            began = loop.time()
            entries = await self._next_entries()
            if entries is None:
                return
            keys = {key for _, (_, changed) in entries for key in changed.decode().split(",")}
            ordered = sorted(keys)  # sorted: an item's features come before its neighbours
            for start in range(0, len(ordered), CHUNK):
                await self._read(ordered[start : start + CHUNK])
            self.fresh = True
            if entries:
                self._read_up_to = entries[-1][0]
                await asyncio.sleep(REFRESH_EVERY)

    async def _next_entries(self) -> list[Any] | None:
        """(id, name and value) of the next entries; none after WAIT s without any; None where the stream does not have the entry
        any more that was read last. Items are not fresh while that takes longer. Raises TimeoutError after GIVE_UP s."""
        after = self._read_up_to or b"0"
        commands = (
            pack_command(("XRANGE", ITEMS_STREAM, after, after)),
            pack_command(("XREAD", "BLOCK", int(WAIT * 1000), "STREAMS", ITEMS_STREAM, after)),
        )
        reading = asyncio.ensure_future(self._changes.read(ITEMS_STREAM, commands))
        try:
            answered, _ = await asyncio.wait({reading}, timeout=WAIT + LATE)
            if not answered:
                self.fresh = False
            last, found = await asyncio.wait_for(asyncio.shield(reading), GIVE_UP)
        finally:
            reading.cancel()
        if self._read_up_to and not last:  # the reader may have gone to another server unseen
            return None
        return found[0][1] if found else []


def _scan_command(cursor: bytes, pattern: str) -> bytes:
    command: bytes = pack_command(("SCAN", cursor, "MATCH", pattern, "COUNT", CHUNK))
    return command
