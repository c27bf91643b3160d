"""Writes features to Redis from an operator: a thread that sends what has gathered, as soon as the last batch is through.

At a low rate each write goes at once; at a high rate they gather for 5 ms, and writes to one key become one. While Redis is away
the batch is tried again until it comes back, and the operator waits once the buffer is full: nothing is dropped.

A buffered write is not in Flink's state, but the state it came from is, and so is the list of keys whose last write is not
through: they are written again after a restart (see streaming.users).
"""

import threading
import time
from collections.abc import Mapping

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.errors import Unavailable
from features.freshness import FreshnessHistogram
from features.job_keys import FRESH_TTL_S, fresh_key
from features.names import CLOCK_KEY, ITEMS_CHANNEL
from features.redis_writes import ADVANCE_CLOCK
from streaming.writes import SCRIPTS, SHA, Write

BUFFER_KEYS = 2048
"""A batch is taken while fewer keys than this wait, so the buffer holds at most one batch more."""
BATCH_KEYS = 512
BUSY_KEYS, GATHER = 16, 0.005
"""After a batch of that many keys the stream is busy: wait 5 ms for more, so that writes to one key become one."""
TOGETHER = 0.001
"""The batches of all lanes come at the same moments: what comes within a millisecond goes together."""
CALL_TIMEOUT = 2.0
CLOSE_WITHIN = 10.0
REPORT_EVERY = 1.0


class FeatureWriter:
    """A bounded, coalescing buffer of writes and the thread that empties it. One producer thread."""

    def __init__(self, host: str, port: int, generation: int, operator: str, subtask: int) -> None:
        self._client = redis.Redis(
            host=host,
            port=port,
            socket_timeout=CALL_TIMEOUT,
            socket_connect_timeout=CALL_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        self._connection = self._client.connection_pool.get_connection()
        self._generation = generation
        self._waiting: dict[str, Write] = {}
        self._sending: dict[str, Write] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._idle = False
        self._failures = 0
        self._fresh = FreshnessHistogram()
        self._fresh_key = fresh_key(operator, subtask)
        self._report_due = 0.0
        self._thread = threading.Thread(target=self._run, name="feature-writer", daemon=True)
        self._thread.start()

    def put(self, writes: Mapping[str, Write]) -> None:
        """Take writes by Redis key; waits while the buffer is full. A later write to a key takes an earlier one's place."""
        with self._changed:
            while len(self._waiting) >= BUFFER_KEYS:
                if not self._thread.is_alive():
                    raise Unavailable("the feature writer has stopped")
                self._changed.wait(1.0)
            for key, write in writes.items():
                earlier = self._waiting.pop(key, None)
                self._waiting[key] = write if earlier is None else write.after(earlier)
            if self._idle:  # a busy thread looks by itself
                self._changed.notify_all()

    def unsent(self, keys: set[str]) -> set[str]:
        """Which of these have a write that Redis has not acknowledged yet."""
        with self._changed:
            return {key for key in keys if key in self._waiting or key in self._sending}

    def close(self) -> None:
        """Send what is left, within a bound; what is not sent is in Flink's state and is written after the restart."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_WITHIN)
        self._client.close()

    def _run(self) -> None:
        pause = 0.0
        while self._gather():
            try:
                self._send()
            except redis.RedisError as error:
                self._failures += 1
                pause = min(1.0, pause * 2 or 0.02)
                if self._failures % 50 == 1:
                    print(f"feature writer: Redis does not take writes ({error}); trying again", flush=True)
                if self._closing and pause >= 1.0:
                    return
                time.sleep(pause)
                continue
            pause = 0.0
            now_ms = time.time() * 1000
            with self._changed:
                sent, self._sending = self._sending, {}
                self._changed.notify_all()
            for write in sent.values():
                if write.broker_ts:
                    self._fresh.add(now_ms - write.broker_ts)
            if len(sent) >= BUSY_KEYS and not self._closing:
                time.sleep(GATHER)

    def _gather(self) -> bool:
        """Wait for something to send; False once there is nothing left and the writer is closing."""
        with self._changed:
            while not (self._waiting or self._sending):
                if self._closing:
                    return False
                self._idle = True
                came = self._changed.wait(1.0)
                self._idle = False
                if came and not self._closing:
                    self._changed.wait(TOGETHER)  # nobody notifies meanwhile; it lets go of the lock
            if not self._sending:
                self._sending = {key: self._waiting.pop(key) for key in list(self._waiting)[:BATCH_KEYS]}
                self._changed.notify_all()
            return True

    def _send(self) -> None:
        """One pipeline of the batch. Packed by hand: redis-py's own pipeline costs ten times as much a command."""
        commands = [write.command(key, self._generation) for key, write in self._sending.items()]
        newest = max((write.event_ts for write in self._sending.values()), default=0)
        if newest:
            commands.append(hiredis.pack_command(("EVALSHA", SHA[ADVANCE_CLOCK], 1, CLOCK_KEY, newest)))
        items = [key[2:] for key in self._sending if key.startswith("i:")]
        if items:
            commands.append(hiredis.pack_command(("PUBLISH", ITEMS_CHANNEL, ",".join(items))))
        if time.monotonic() >= self._report_due:
            self._report_due = time.monotonic() + REPORT_EVERY
            commands.append(hiredis.pack_command(("SET", self._fresh_key, self._fresh.to_json(), "EX", FRESH_TTL_S)))
        self._exchange(commands)

    def _exchange(self, commands: list[bytes]) -> None:
        connection = self._connection
        try:
            connection.send_packed_command(commands)
            answers = [connection.read_response(disconnect_on_error=True) for _ in commands]
        except redis.exceptions.NoScriptError:
            connection.disconnect()
            for script in SCRIPTS:
                connection.send_command("SCRIPT", "LOAD", script)
                connection.read_response()
            return self._exchange(commands)
        except BaseException:
            connection.disconnect()
            raise
        refused = next((answer for answer in answers if isinstance(answer, Exception)), None)
        if refused is not None:
            raise refused
