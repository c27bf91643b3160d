"""Writes features to Redis from an operator: a thread that sends what has gathered, as soon as the last batch is through.

At a low rate each write goes at once; at a high rate they gather for 5 ms, and writes to one key become one. While Redis is away
the batch is tried again until it comes back, and the operator waits once the buffer is full: nothing is dropped.

A buffered write is not in Flink's state, but the state it came from is, and each key touched has a timer there which
asks whether the write is through, and repeats it after a restart (see streaming.operators).
"""

import hashlib
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.errors import Unavailable
from features.names import CLOCK_KEY, ITEMS_CHANNEL, item_key, seen_key, user_key
from features.redis_writes import (
    ADVANCE_CLOCK,
    CHANGE,
    REPLACE,
    WRITE_ITEM,
    WRITE_USER,
    item_arguments,
    user_arguments,
)

BUFFER_KEYS = 2048
BATCH_KEYS = 512
BUSY_KEYS, GATHER = 16, 0.005
"""After a batch of that many keys the stream is busy: wait 5 ms for more, so that writes to one key become one."""
CALL_TIMEOUT = 2.0
CLOSE_WITHIN = 10.0


@dataclass(slots=True)
class UserWrite:
    """The newest state of a user, and what changed in the seen set since the last write (True: added)."""

    n: int
    broker_ts: int
    value: bytes
    event_ts: int
    seen: dict[int, bool] = field(default_factory=dict)
    whole: bool = False


@dataclass(slots=True)
class ItemWrite:
    n: int
    broker_ts: int
    value: bytes


class FeatureWriter:
    """A bounded, coalescing buffer of writes and the thread that empties it. One producer thread."""

    def __init__(self, host: str, port: int, generation: int) -> None:
        self._client = redis.Redis(
            host=host,
            port=port,
            socket_timeout=CALL_TIMEOUT,
            socket_connect_timeout=CALL_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        self._connection = self._client.connection_pool.get_connection()
        self._generation = generation
        self._users: dict[int, UserWrite] = {}
        self._items: dict[int, ItemWrite] = {}
        self._sending_users: dict[int, UserWrite] = {}
        self._sending_items: dict[int, ItemWrite] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._idle = False
        self.written = 0
        self.failures = 0
        self._thread = threading.Thread(target=self._run, name="feature-writer", daemon=True)
        self._thread.start()

    def put_user(self, user_id: int, write: UserWrite) -> None:
        """Take a write; waits while the buffer is full. A later write to the same user replaces it, keeping what it
        changed in the seen set."""
        with self._changed:
            self._wait_for_room()
            earlier = self._users.pop(user_id, None)
            if earlier is not None and not write.whole:
                write.seen = earlier.seen | write.seen
                write.whole = earlier.whole
            self._users[user_id] = write
            self._wake()

    def put_item(self, item_id: int, write: ItemWrite) -> None:
        """As put_user, for an item."""
        with self._changed:
            self._wait_for_room()
            self._items[item_id] = write
            self._wake()

    def _wake(self) -> None:
        if self._idle:  # a busy thread looks by itself
            self._changed.notify_all()

    def _wait_for_room(self) -> None:
        while len(self._users) + len(self._items) >= BUFFER_KEYS:
            if not self._thread.is_alive():
                raise Unavailable("the feature writer has stopped")
            self._changed.wait(1.0)

    def is_writing_user(self, user_id: int) -> bool:
        """Whether a write of this user has not been acknowledged by Redis yet."""
        with self._changed:
            return user_id in self._users or user_id in self._sending_users

    def is_writing_item(self, item_id: int) -> bool:
        with self._changed:
            return item_id in self._items or item_id in self._sending_items

    def close(self) -> None:
        """Send what is left, within a bound; what is not sent is in Flink's state and is written after the restart."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_WITHIN)
        self._client.close()

    def _run(self) -> None:
        pause = 0.0
        while True:
            with self._changed:
                while not (self._users or self._items or self._sending_users or self._sending_items):
                    if self._closing:
                        return
                    self._idle = True
                    self._changed.wait(1.0)
                    self._idle = False
                if not (self._sending_users or self._sending_items):
                    self._sending_users = _take(self._users)
                    self._sending_items = _take(self._items)
                    self._changed.notify_all()
            try:
                self._send()
            except redis.RedisError as error:
                self.failures += 1
                pause = min(1.0, pause * 2 or 0.02)
                if self.failures % 50 == 1:
                    print(f"feature writer: Redis does not take writes ({error}); trying again", flush=True)
                if self._closing and pause >= 1.0:
                    return
                time.sleep(pause)
                continue
            pause = 0.0
            with self._changed:
                sent = len(self._sending_users) + len(self._sending_items)
                self.written += sent
                self._sending_users, self._sending_items = {}, {}
                self._changed.notify_all()
            if sent >= BUSY_KEYS and not self._closing:
                time.sleep(GATHER)

    def _send(self) -> None:
        """One pipeline of the batch. Packed by hand: redis-py's own pipeline costs ten times as much a command."""
        commands: list[bytes] = []
        generation = self._generation
        for user_id, user in self._sending_users.items():
            removed = [item for item, added in user.seen.items() if not added]
            added = [item for item, added in user.seen.items() if added]
            mode = REPLACE if user.whole else CHANGE
            arguments = user_arguments(generation, user.n, user.broker_ts, user.value, mode, removed, added)
            commands.append(
                hiredis.pack_command(("EVALSHA", _SHA[WRITE_USER], 2, user_key(user_id), seen_key(user_id), *arguments))
            )
        for item_id, item in self._sending_items.items():
            arguments = item_arguments(generation, item.n, item.broker_ts, item.value)
            commands.append(hiredis.pack_command(("EVALSHA", _SHA[WRITE_ITEM], 1, item_key(item_id), *arguments)))
        if self._sending_users:
            newest = max(user.event_ts for user in self._sending_users.values())
            commands.append(hiredis.pack_command(("EVALSHA", _SHA[ADVANCE_CLOCK], 1, CLOCK_KEY, newest)))
        if self._sending_items:
            commands.append(hiredis.pack_command(("PUBLISH", ITEMS_CHANNEL, ",".join(map(str, self._sending_items)))))
        connection = self._connection
        try:
            connection.send_packed_command(commands)
            answers = [connection.read_response(disconnect_on_error=True) for _ in commands]
        except redis.exceptions.NoScriptError:
            connection.disconnect()
            for script in _SHA:
                connection.send_command("SCRIPT", "LOAD", script)
                connection.read_response()
            return self._send()
        except BaseException:
            connection.disconnect()
            raise
        refused = next((answer for answer in answers if isinstance(answer, Exception)), None)
        if refused is not None:
            raise refused


_SHA = {script: hashlib.sha1(script.encode()).hexdigest() for script in (WRITE_USER, WRITE_ITEM, ADVANCE_CLOCK)}


def _take(buffer: dict[int, Any]) -> dict[int, Any]:
    """Up to a batch of the oldest writes, out of the buffer."""
    return {key: buffer.pop(key) for key in list(buffer)[:BATCH_KEYS]}
