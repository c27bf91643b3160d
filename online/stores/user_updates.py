"""Subscriptions to updates of users' features over Redis pub/sub, through one connection for all."""

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
"""Seconds between connection attempts while Redis is down."""
IDLE_CHANNEL = "watched"
"""A channel without messages: it keeps the connection open while nobody listens."""
SUBSCRIBE_TIMEOUT = 0.5
"""Seconds that a new listener waits for Redis to confirm its subscription; then it proceeds without."""


class _Subscription:
    """Listeners to one user, and whether Redis has confirmed the subscription on the current connection."""

    def __init__(self) -> None:
        self.listeners: set[asyncio.Event] = set()
        self.subscribed = asyncio.Event()
        self.was_subscribed = False
        """Whether Redis has confirmed the subscription on any connection."""


class UserUpdates:
    """Notifies subscribers of each update of a user's features. After a lost connection it notifies all of them, since updates
    may have been missed."""

    def __init__(self, host: str, port: int) -> None:
        self._client = redis.Redis(host=host, port=port, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0))
        self._users: dict[str, _Subscription] = {}
        self._channel: redis.client.PubSub | None = None
        self._task: asyncio.Task[None] | None = None
        self.ended = False
        """Whether listeners must leave: the process can't stop while a response is open."""

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
        """An event that is set at each update of the user's features; the listener clears it."""
        updated, name = asyncio.Event(), user_channel(user_id)
        subscription = self._users.setdefault(name, _Subscription())
        subscription.listeners.add(updated)
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._follow(), name="user updates")
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
        """Add a channel to the connection, or remove one. A lost connection is noticed by `_follow`."""
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
                    self._channel = channel  # from here on new listeners subscribe by themselves
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
                if subscription.was_subscribed:  # resubscribed after a loss: updates may have been missed
                    for updated in subscription.listeners:
                        updated.set()
                subscription.was_subscribed = True
                subscription.subscribed.set()
