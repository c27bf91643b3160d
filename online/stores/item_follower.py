"""Follows items' features in Redis: reads all of them, then those on the channel on which the job publishes changed ones.

After a lost connection everything is read again, since changes published meanwhile were missed.
"""

import asyncio
import logging

import msgspec
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from features.fold.co_visits import decode_neighbours
from features.fold.state import decode_item
from features.keys import ITEM_KEYS, ITEMS_CHANNEL, PAIRS_KEYS, VALUE, item_of
from online.stores.item_store import ItemStore
from online.support import metrics
from online.support.background import end

logger = logging.getLogger(__name__)

REFRESH_EVERY = 0.2
CHUNK = 1000
RETRY_SECONDS = 0.5
PING_EVERY, PING_TIMEOUT, GIVE_UP = 1.0, 0.5, 10.0
"""Seconds between an answer on the channel and the next ping; without an answer to it until items are not fresh any more; and
until the channel is opened anew, which reads all items."""
YIELD_EVERY = 16
"""Items put into the store before control returns to the event loop."""


class ItemFollower:
    """Keeps an ItemStore in step with Redis; `fresh` is whether it is: not while Redis does not answer, either."""

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
        await end(self._task)
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
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                self.fresh = False
                logger.exception("items are not followed; trying again")
                await asyncio.sleep(RETRY_SECONDS)

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

    async def _listen(self, channel: redis.client.PubSub) -> None:
        loop = asyncio.get_running_loop()
        changed: set[str] = set()
        refresh_at = loop.time() + REFRESH_EVERY
        ping_at, pinged = loop.time() + PING_EVERY, 0.0
        while True:
            # The channel is silent while nothing changes, and while Redis stands still or the connection leads nowhere.
            if pinged and loop.time() - pinged > GIVE_UP:
                raise TimeoutError(f"no answer on the channel for {GIVE_UP:.0f} s")
            if pinged and loop.time() - pinged > PING_TIMEOUT:
                self.fresh = False
            if not pinged and loop.time() >= ping_at:
                await channel.ping()
                pinged = loop.time()
            message = await channel.get_message(timeout=max(0.01, refresh_at - loop.time()))
            if message is not None and message["type"] == "pong":
                ping_at, pinged, self.fresh = loop.time() + PING_EVERY, 0.0, True
            elif message is not None:
                changed.update(message["data"].decode().split(","))
            if loop.time() >= refresh_at:
                keys = sorted(changed)  # sorted: an item's features come before its neighbours
                changed.clear()
                for start in range(0, len(keys), CHUNK):
                    await self._read(keys[start : start + CHUNK])
                refresh_at = loop.time() + REFRESH_EVERY
