"""Subscriptions to updates of users' features over Redis pub/sub, through one connection for all."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from features.keys import user_channel
from features.types import UserId
from online.support.background import end

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
        return len({updated for subscription in self._users.values() for updated in subscription.listeners})

    def end(self) -> None:
        """Wake all listeners for the last time."""
        self.ended = True
        for subscription in self._users.values():
            for updated in subscription.listeners:
                updated.set()

    async def stop(self) -> None:
        await end(self._task)
        self._task = None
        await self._client.aclose()

    @contextlib.asynccontextmanager
    async def subscribe(self, *user_ids: UserId, timeout: float = SUBSCRIBE_TIMEOUT) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each update of one of the users' features; the listener clears it. It is there after `timeout`
        s at the latest, whether Redis has confirmed it or not."""
        updated, names = asyncio.Event(), [user_channel(user_id) for user_id in user_ids]
        subscriptions = [self._users.setdefault(name, _Subscription()) for name in names]
        for subscription in subscriptions:
            subscription.listeners.add(updated)
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._follow(), name="user updates")
            else:
                await self._update_channel(subscribe=[name for name in names if len(self._users[name].listeners) == 1])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    for subscription in subscriptions:
                        await subscription.subscribed.wait()
            yield updated
        finally:
            left = []
            for name, subscription in zip(names, subscriptions, strict=True):
                subscription.listeners.discard(updated)
                if not subscription.listeners and self._users.get(name) is subscription:
                    del self._users[name]
                    left.append(name)
            await self._update_channel(unsubscribe=left)

    async def _update_channel(self, subscribe: Sequence[str] = (), unsubscribe: Sequence[str] = ()) -> None:
        """Add channels to the connection, or remove some. A lost connection is noticed by `_follow`."""
        if self._channel is None:
            return
        with contextlib.suppress(redis.RedisError, OSError):
            if subscribe:
                await self._channel.subscribe(*subscribe)
            if unsubscribe:
                await self._channel.unsubscribe(*unsubscribe)

    async def _follow(self) -> None:
        while True:
            try:
                async with self._client.pubsub() as channel:
                    await channel.subscribe(IDLE_CHANNEL)  # connects, which two at once must not
                    self._channel = channel  # from here on new listeners subscribe by themselves
                    try:
                        if self._users:
                            await channel.subscribe(*self._users)
                        await self._listen(channel)
                    finally:
                        self._let_go()
            except (redis.RedisError, OSError) as error:
                logger.warning("moves of users are not heard of (%s); trying again", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("moves of users are not heard of; trying again")
                await asyncio.sleep(RETRY_SECONDS)

    def _let_go(self) -> None:
        """Use a channel no more, before its connection goes back."""
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
