"""Writes features to Redis from an operator: pipelined, without a thread of its own.

A batch is sent as soon as it is put, and its replies are read when a later one follows, or at the next tick: Redis works
while the operator folds on. While Redis is unavailable writes are buffered, coalesced by key and retried; once the buffer is
full the operator blocks: nothing is dropped.

A buffered write is not in Flink's state, but the state it came from is, and so is the list of keys whose last write is not
acknowledged: they are written again after a restart (see streaming.operators.user_operator).
"""

from collections import deque
from collections.abc import Callable, Mapping

import hiredis

from features.errors import Unavailable
from features.keys import CHANGED_KEYS, ITEMS_RETAINED, ITEMS_STREAM, is_of_item
from features.store.freshness import FreshnessHistogram
from features.store.job_status import FRESH_TTL_S, fresh_key
from streaming.redis_sink.redis_commands import Write
from streaming.redis_sink.redis_connection import Connection
from streaming.time_source import SYSTEM_TIME, TimeSource

IN_FLIGHT = 4
"""Maximum number of batches sent whose replies have not been read."""
BUFFER_KEYS = 2048
"""With this many keys buffered while Redis is unavailable, the operator blocks; the buffer holds at most one batch more."""
CALL_TIMEOUT = 2.0
CLOSE_TIMEOUT = 10.0
REPORT_EVERY = 1.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds from a failure to the next attempt: doubled each time, between these bounds."""

_TIME = hiredis.pack_command(("TIME",))

Connect = Callable[[str, int, float], Connection]
"""Opens a connection: host, port, seconds that each wait may take. Raises Unavailable."""
_Batch = tuple[dict[str, Write], int]
"""Writes by key, and the number of replies to their commands."""


class FeatureWriter:
    """Sends writes by Redis key; of several writes to one key the latest counts."""

    def __init__(
        self,
        host: str,
        port: int,
        generation: int,
        operator: str,
        subtask: int,
        *,
        connect: Connect = Connection,
        time_source: TimeSource = SYSTEM_TIME,
    ) -> None:
        self._connect = connect
        self._time = time_source
        self._address = host, port
        self._generation = generation
        self._connection: Connection | None = None
        self._waiting: dict[str, Write] = {}
        self._in_flight: deque[_Batch] = deque()
        self._failures = 0
        self._pause = 0.0
        self._retry_at = 0.0
        self._freshness = FreshnessHistogram()
        self._freshness_key = fresh_key(operator, subtask)
        self._report_due = 0.0

    def put(self, writes: Mapping[str, Write]) -> None:
        """Buffer writes and send them. Blocks while Redis is unavailable and the buffer full."""
        self._buffer(writes)
        self._advance()
        while len(self._waiting) >= BUFFER_KEYS:
            self._time.sleep(max(0.0, self._retry_at - self._time.monotonic()))
            self._advance()

    def unsent(self, keys: set[str]) -> set[str]:
        """Returns those of the keys that have a write which Redis has not acknowledged."""
        return {key for key in keys if key in self._waiting or any(key in writes for writes, _ in self._in_flight)}

    def tick(self) -> None:
        """Read outstanding replies and retry failed writes; to be called about once a second."""
        self._advance(last=True)

    def close(self) -> None:
        """Send what is left within CLOSE_TIMEOUT; what is not sent is in Flink's state and is written after the restart."""
        deadline = self._time.monotonic() + CLOSE_TIMEOUT
        self._advance(last=True)
        while (self._waiting or self._in_flight) and self._retry_at < deadline:
            self._time.sleep(max(0.0, self._retry_at - self._time.monotonic()))
            self._advance(last=True)
        if self._connection is not None:
            self._connection.close()

    def _buffer(self, writes: Mapping[str, Write]) -> None:
        for key, write in writes.items():
            earlier = self._waiting.pop(key, None)
            self._waiting[key] = write if earlier is None else write.after(earlier)

    def _advance(self, last: bool = False) -> None:
        """Send buffered writes, unless it is too early to retry; `last`: and read all replies."""
        if self._time.monotonic() < self._retry_at:
            return
        try:
            if self._connection is None:
                self._connection = self._connect(*self._address, CALL_TIMEOUT)
            if self._waiting:
                while len(self._in_flight) >= IN_FLIGHT:
                    self._finish(self._connection)
                self._send(self._connection)
            while last and self._in_flight:
                self._finish(self._connection)
        except Unavailable as error:
            self._fail(error)

    def _send(self, connection: Connection) -> None:
        writes, self._waiting = self._waiting, {}
        commands = [write.command(key, self._generation) for key, write in writes.items()]
        items = [key for key in writes if is_of_item(key)]
        if items:
            entry = ("XADD", ITEMS_STREAM, "MAXLEN", "~", ITEMS_RETAINED, "*", CHANGED_KEYS, ",".join(items))
            commands.append(hiredis.pack_command(entry))
        if self._time.monotonic() >= self._report_due:
            self._report_due = self._time.monotonic() + REPORT_EVERY
            commands.append(
                hiredis.pack_command(("SET", self._freshness_key, self._freshness.to_json(), "EX", FRESH_TTL_S))
            )
        commands.append(_TIME)
        self._in_flight.append((writes, len(commands)))
        connection.send(commands)

    def _finish(self, connection: Connection) -> None:
        """Read the replies to the oldest batch. The last is Redis' time when the batch was done, however late it is read."""
        writes, count = self._in_flight[0]
        seconds, micros = connection.read_replies(count)[-1]
        self._in_flight.popleft()
        self._failures, self._pause = 0, 0.0
        now_ms = int(seconds) * 1000 + int(micros) / 1000
        for write in writes.values():
            if write.broker_ts:
                self._freshness.add(now_ms - write.broker_ts)

    def _fail(self, error: Unavailable) -> None:
        """Close the connection and buffer all unacknowledged writes again, in order."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        later, self._waiting = self._waiting, {}
        for writes, _ in self._in_flight:
            self._buffer(writes)
        self._in_flight.clear()
        self._buffer(later)
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or SHORTEST_PAUSE)
        self._retry_at = self._time.monotonic() + self._pause
        if self._failures % 50 == 0:
            print(f"feature writer: Redis does not take writes ({error}); trying again", flush=True)
        self._failures += 1
