"""Users whose features somebody waits for: the stream tells each move of a user on a channel of Redis, and one connection
listens for all of them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from features.keys import user_channel
from features.types import UserId

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
"""Seconds between tries while Redis is away."""
IDLE_CHANNEL = "watched"
"""A channel on which nothing is ever said: it keeps the connection while nobody listens."""
SUBSCRIBE_TIMEOUT = 0.5
"""A new listener waits so long for Redis to listen too; then it goes on without."""


class _Subscription:
    """One user: who listens, and whether Redis has said that it will tell."""

    def __init__(self) -> None:
        self.listeners: set[asyncio.Event] = set()
        self.subscribed = asyncio.Event()
        self.was_subscribed = False
        """Whether Redis ever has."""


class UserUpdates:
    """`moves` tells each change of a user's features. After a lost connection every listener is told, as what was said meanwhile
    is not known."""

    def __init__(self, host: str, port: int) -> None:
        self._client = redis.Redis(host=host, port=port, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0))
        self._users: dict[str, _Subscription] = {}
        self._channel: redis.client.PubSub | None = None
        self._task: asyncio.Task[None] | None = None
        self.ended = False
        """Whether listeners shall go: a process does not stop while an answer of it is open."""

    @property
    def listeners(self) -> int:
        return sum(len(subscription.listeners) for subscription in self._users.values())

    def end(self) -> None:
        """Wake all listeners for the last time."""
        self.ended = True
        for subscription in self._users.values():
            for updated in subscription.listeners:
                updated.set()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._client.aclose()

    @contextlib.asynccontextmanager
    async def subscribe(self, user_id: UserId) -> AsyncIterator[asyncio.Event]:
        """An event that is set each time the user's features have moved since it was cleared."""
        updated, name = asyncio.Event(), user_channel(user_id)
        subscription = self._users.setdefault(name, _Subscription())
        subscription.listeners.add(updated)
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._follow(), name="watched users")
            elif len(subscription.listeners) == 1:
                await self._update_channel(subscribe=name)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(subscription.subscribed.wait(), SUBSCRIBE_TIMEOUT)
            yield updated
        finally:
            subscription.listeners.discard(updated)
            if not subscription.listeners and self._users.get(name) is subscription:
                del self._users[name]
                await self._update_channel(unsubscribe=name)

    async def _update_channel(self, subscribe: str | None = None, unsubscribe: str | None = None) -> None:
        """Have the listening connection listen to one user more or less; it finds out by itself if it is lost."""
        if self._channel is None:
            return
        with contextlib.suppress(redis.RedisError, OSError):
            if subscribe:
                await self._channel.subscribe(subscribe)
            if unsubscribe:
                await self._channel.unsubscribe(unsubscribe)

    async def _follow(self) -> None:
        while True:
            try:
                async with self._client.pubsub() as channel:
                    self._channel = channel  # from here on who joins subscribes by itself
                    await channel.subscribe(IDLE_CHANNEL, *self._users)
                    await self._listen(channel)
            except (redis.RedisError, OSError) as error:
                logger.warning("moves of users are not heard of (%s); trying again", error)
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                self._channel = None
                for subscription in self._users.values():
                    subscription.subscribed.clear()

    async def _listen(self, channel: redis.client.PubSub) -> None:
        while True:
            message = await channel.get_message(timeout=1.0)
            if message is None:
                continue
            subscription = self._users.get(message["channel"].decode())
            if subscription is None:
                continue
            if message["type"] == "message":
                for updated in subscription.listeners:
                    updated.set()
            elif message["type"] == "subscribe":
                if subscription.was_subscribed:  # not for the first time: what was said between is not known
                    for updated in subscription.listeners:
                        updated.set()
                subscription.was_subscribed = True
                subscription.subscribed.set()
