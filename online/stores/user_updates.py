"""Subscriptions to updates of users' features over Redis pub/sub, through one connection for all.

In a cluster each server passes on what is published at any, so that one of them will do, a replica too.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import Server, is_whole, read_shards
from features.keys import user_channel
from features.types import UserId
from online.support.background import end

logger = logging.getLogger(__name__)

CHECK_EVERY = 5.0
"""Seconds between two questions to a cluster's server whether it is still in touch with the others; and without a word, after
which any server is asked whether it is there."""
WAITS = 5
"""So many waits for a message make up CHECK_EVERY."""
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
        self.may_miss = False
        """Whether updates may come unheard until Redis confirms the subscription the next time."""


class UserUpdates:
    """Notifies subscribers of each update of a user's features. After a lost connection it notifies all of them, since updates
    may have been missed."""

    def __init__(self, address: RedisAddress, check_every: float = CHECK_EVERY) -> None:
        """check_every: seconds without a word after which Redis is asked whether it is there; after as many more the connection
        counts as lost."""
        self._address, self._check_every = address, check_every
        self._servers = list(address.servers)
        """Those that may be listened to; the first one is tried next."""
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
            for subscription in subscriptions:
                subscription.may_miss |= not subscription.subscribed.is_set()
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
                async with self._client() as client, client.pubsub() as channel:
                    await channel.subscribe(IDLE_CHANNEL)  # connects, which two at once must not
                    self._channel = channel  # from here on new listeners subscribe by themselves
                    try:
                        if self._users:
                            await channel.subscribe(*self._users)
                        await self._listen(channel, client)
                    finally:
                        self._let_go()
            except (redis.RedisError, OSError) as error:
                logger.warning("moves of users are not heard of (%s); trying again", error)
            except Exception:
                logger.exception("moves of users are not heard of; trying again")
            self._servers.append(self._servers.pop(0))
            await asyncio.sleep(RETRY_SECONDS)

    def _client(self) -> redis.Redis:
        """A client of the server that is tried next."""
        address = self._address.at(self._servers[0]) if self._address.cluster else self._address
        return redis.Redis(
            **address.client_options(),
            socket_timeout=CHECK_EVERY,
            socket_connect_timeout=1.0,
            retry=Retry(NoBackoff(), 0),
        )

    async def _check(self, client: redis.Redis) -> None:
        """Learn which servers there are. Raises ConnectionError where the one that is listened to does not hear of the others."""
        run: Any = client.execute_command  # of redis-py, without types
        if not is_whole(await run("CLUSTER", "INFO")):
            raise redis.ConnectionError("the server is cut off from its cluster, or the cluster is not whole")
        server = self._servers[0]
        shards = read_shards(await run("CLUSTER", "SLOTS"), server)
        others: list[Server] = [each for shard in shards for each in (shard.primary, *shard.replicas)]
        self._servers = list(dict.fromkeys([server, *others, *self._address.servers]))

    def _let_go(self) -> None:
        """Use a channel no more, before its connection goes back."""
        self._channel = None
        for subscription in self._users.values():
            subscription.subscribed.clear()

    async def _listen(self, channel: redis.client.PubSub, client: redis.Redis) -> None:
        """Pass on what is said. Raises ConnectionError where nothing is, not even an answer to a question of ours: whatever
        stands between may have forgotten a connection without a word."""
        loop = asyncio.get_running_loop()
        check_at, in_vain = loop.time(), 0
        while True:
            if self._address.cluster and loop.time() >= check_at:
                await self._check(client)
                check_at = loop.time() + self._check_every
            message = await channel.get_message(timeout=self._check_every / WAITS)
            if message is not None:
                in_vain = 0
                self._notify(message)
                continue
            in_vain += 1  # counted, not timed: what came while the event loop was busy is read first
            if in_vain == WAITS:
                await channel.ping()
            elif in_vain == 2 * WAITS:
                raise redis.ConnectionError(f"nothing came for {2 * self._check_every:g} s, nor an answer")

    def _notify(self, message: dict[str, Any]) -> None:
        subscription = self._users.get((message["channel"] or b"").decode())  # an answer to a question has no channel
        if subscription is None:
            return
        if message["type"] == "message":
            for updated in subscription.listeners:
                updated.set()
        elif message["type"] == "subscribe":
            if subscription.may_miss:  # subscribed after a loss, or later than it was waited for
                for updated in subscription.listeners:
                    updated.set()
            subscription.may_miss = True
            subscription.subscribed.set()
