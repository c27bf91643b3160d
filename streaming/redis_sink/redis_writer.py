"""Writes features to Redis from an operator: pipelined, without a thread of its own.

A batch is sent as soon as it is put, and its replies are read when a later one follows, or at the next tick: Redis works
while the operator folds on. While Redis is unavailable writes are buffered, coalesced by key and retried; once the buffer is
full the operator waits: nothing is dropped. No checkpoint passes an operator that waits, so it does not for long: the task then
fails, and Flink starts it again and again from its checkpoint, with a pause, until Redis is back. A cancelled task ends within
seconds.

In a cluster each server has its own batches, so that one that is away holds up nobody but its own keys until the buffer is full.
A write carries the changes of its key that are on their way: a server refuses a batch while the cluster is not whole, and may
take the next one, under whose n what came with the first would be missing.
Items are announced in a stream that one of the servers has: by the batch that writes them where it goes to that server, else
once they are acknowledged, since nobody is to read of a change before it is there.

A buffered write is not in Flink's state, but the state it came from is, and so is the list of keys whose last write is not
acknowledged: they are written again after a restart (see streaming.operators.user_operator).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import hiredis

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import IMPORT_PREFIX
from features.errors import Unavailable
from features.keys import ITEMS_STREAM, is_of_item
from features.store.freshness import FreshnessHistogram
from features.store.job_status import fresh_key
from streaming.redis_sink.redis_commands import Announcement, Report, Write
from streaming.redis_sink.redis_connection import Connection
from streaming.redis_sink.server_pipe import IN_FLIGHT, Batch, Connect, ServerPipe
from streaming.redis_sink.write_routes import Parcel, routes_of
from streaming.time_source import SYSTEM_TIME, TimeSource

BUFFER_KEYS = 2048
"""With this many keys buffered while Redis is unavailable, the operator waits; the buffer holds at most one batch more …"""
FULL_TIMEOUT = 30.0
"""… and fails after this many seconds without room."""
CANCEL_POLL = 0.2
"""Seconds between two looks at whether the task was cancelled."""
REPORT_EVERY = 1.0
ROUNDS: Final = 3
"""How often what a cluster's servers sent elsewhere is sent on at once; after that it waits for the next call."""

_TIME = hiredis.pack_command(("TIME",))


def _never() -> bool:
    return False


class FeatureWriter:
    """Sends writes by Redis key; of several writes to one key the latest counts. `is_cancelled` returns whether the task is to
    end, which makes a wait end."""

    def __init__(
        self,
        address: RedisAddress,
        generation: int,
        operator: str,
        subtask: int,
        *,
        connect: Connect = Connection,
        time_source: TimeSource = SYSTEM_TIME,
        is_cancelled: Callable[[], bool] = _never,
    ) -> None:
        self._time = time_source
        self._is_cancelled = is_cancelled
        self._address = address
        self._generation = generation
        self._routes = routes_of(address, connect)
        self._waiting: dict[str, Write] = {}
        self._again = False
        """Whether something waits that may be sent at once."""
        self._to_announce = False
        """Whether items are on their way that are announced once they are acknowledged."""
        self._freshness = FreshnessHistogram()
        self._freshness_key = fresh_key(operator, subtask)
        self._to_report = False
        self._report_due = 0.0

    def put(self, writes: Mapping[str, Write]) -> None:
        """Buffer writes and send them. Waits while Redis is unavailable and the buffer full. Raises Unavailable where that takes
        too long, or the task is cancelled: what was not sent is in Flink's state."""
        self._buffer(writes)
        self._advance()
        if len(self._waiting) >= BUFFER_KEYS:
            self._await_room()

    def unsent(self, keys: set[str]) -> set[str]:
        """Returns those of the keys that have a write which Redis has not acknowledged, or a change that is not announced."""
        found = _keys_in(self._waiting, keys)
        for pipe in self._routes.pipes:
            for batch in pipe.in_flight:
                found |= _keys_in(batch.writes, keys)
        return found

    def tick(self) -> None:
        """Read outstanding replies and retry failed writes; to be called about once a second."""
        self._advance(last=True)

    def query(self, key: str, command: bytes) -> Any:
        """Returns the reply to a command about a key; None while the server that has it is away, or sends elsewhere."""
        self._read_all()
        pipe = self._routes.pipe_of(key)
        if pipe is None or self._time.monotonic() < pipe.retry_at:
            return None
        try:
            reply = pipe.request(command)
        except Unavailable as error:
            self._fail(pipe, error)
            return None
        if pipe.connection.has_redirects:
            self._settle([])
            self._routes.note_failure()
            return None
        return reply

    def learn_routes(self) -> None:
        """Learn anew, before the next write, who has which keys."""
        self._routes.note_failure()

    def close(self) -> None:
        """Send what is left if Redis takes it now; what is not sent is in Flink's state and is written after the restart."""
        self._advance(last=True)
        for pipe in self._routes.pipes:
            pipe.close()

    def _await_room(self) -> None:
        began = self._time.monotonic()
        while len(self._waiting) >= BUFFER_KEYS:
            now = self._time.monotonic()
            if self._is_cancelled() or now - began >= FULL_TIMEOUT:
                raise Unavailable(
                    f"Redis at {self._address} takes no writes: {len(self._waiting)} keys have waited for {now - began:.0f} s; "
                    f"the task ends, and starts again from its checkpoint"
                )
            self._time.sleep(min(CANCEL_POLL, max(0.0, self._routes.next_attempt(now) - now)))
            self._advance()

    def _buffer(self, writes: Mapping[str, Write]) -> None:
        if not self._waiting:
            self._waiting = dict(writes)
            return
        for key, write in writes.items():
            earlier = self._waiting.pop(key, None)
            self._waiting[key] = write if earlier is None else write.after(earlier)

    def _advance(self, last: bool = False) -> None:
        """Send buffered writes, unless it is too early to retry; `last`: and read all replies."""
        self._report()
        for _ in range(ROUNDS):
            self._again = False
            now = self._time.monotonic()
            if self._routes.is_stale(now):
                self._settle([])
                self._routes.refresh(now)
            if self._waiting:
                self._send_waiting(now)
            if last or self._to_announce:
                self._read_all()
            if not self._again:
                return

    def _report(self) -> None:
        """Buffer how fresh writes were, if that has changed, and not too often."""
        now = self._time.monotonic()
        if self._to_report and now >= self._report_due:
            self._to_report, self._report_due = False, now + REPORT_EVERY
            self._buffer({self._freshness_key: Report(self._freshness.to_json())})

    def _send_waiting(self, now: float) -> None:
        for pipe in self._routes.pipes:
            while len(pipe.in_flight) >= IN_FLIGHT:
                self._read(pipe)
        parcels, self._waiting = self._routes.split(self._waiting, now)
        for parcel in parcels:
            self._send(parcel, now)

    def _send(self, parcel: Parcel, now: float) -> None:
        pipe, writes, importing = parcel
        sent = pipe.with_changes_on_their_way(writes)
        commands = [write.command(key, self._generation) for key, write in sent.items()]
        if importing:
            commands = [part for command in commands for part in (IMPORT_PREFIX, command)]
        items = tuple(key for key in writes if is_of_item(key))
        announces = bool(items) and self._routes.has(pipe, ITEMS_STREAM)
        if announces:
            commands.append(Announcement(items).command(ITEMS_STREAM, self._generation))
        elif items:
            self._to_announce = True
        commands.append(_TIME)
        try:
            pipe.send(Batch(writes, len(commands), 2 if importing else 1, items, announces), commands)
        except Unavailable as error:
            self._fail(pipe, error)

    def _read_all(self) -> None:
        self._to_announce = False
        for pipe in self._routes.pipes:
            while pipe.in_flight:
                self._read(pipe)

    def _read(self, pipe: ServerPipe) -> None:
        """Read the replies to a server's oldest batch."""
        try:
            batch, replies = pipe.read()
        except Unavailable as error:
            self._fail(pipe, error)
            return
        if pipe.connection.has_redirects:
            self._settle([(batch, replies)])
            return
        self._acknowledge(batch, replies)
        if batch.items and not batch.is_announced:
            self._buffer({ITEMS_STREAM: Announcement(batch.items)})
            self._again = True

    def _acknowledge(self, batch: Batch, replies: list[Any]) -> None:
        """Count how fresh those of the writes are that told Redis something new. The last reply is Redis' time when the batch was
        done, however late it is read."""
        seconds, micros = replies[-1]
        now_ms = int(seconds) * 1000 + int(micros) / 1000
        for write in batch.updates(replies):
            if write.broker_ts:
                self._freshness.add(now_ms - write.broker_ts)
                self._to_report = True

    def _settle(self, read: list[tuple[Batch, list[Any]]]) -> None:
        """Wait until nothing is on its way to any server of a cluster, and buffer again, in order, what was not carried out, of
        batches that are `read` already, too."""
        lost: list[Batch] = []
        for pipe in self._routes.pipes:
            try:
                while pipe.in_flight:
                    read.append(pipe.read())
            except Unavailable as error:
                lost += pipe.fail(self._time.monotonic(), error)
                self._routes.note_failure()
            else:
                pipe.clear_redirects()
        later, self._waiting = self._waiting, {}
        for batch, replies in read:
            self._take_apart(batch, replies)
        for batch in lost:
            self._buffer(batch.writes)
        self._buffer(later)

    def _take_apart(self, batch: Batch, replies: list[Any]) -> None:
        """Buffer again what a server did not carry out of a batch, with what is to be announced of the rest."""
        redirects = batch.redirects(replies)
        for key, redirect in redirects.items():
            self._routes.follow(key, redirect)
            self._buffer({key: batch.writes[key]})
        self._acknowledge(batch, replies)
        if batch.unannounced(replies):
            written = tuple(key for key in batch.items if key not in redirects)
            self._buffer({ITEMS_STREAM: Announcement(written)} if written else {})
        self._again = True

    def _fail(self, pipe: ServerPipe, error: Unavailable) -> None:
        """Close a server's connection and buffer all its unacknowledged writes again, in order."""
        later, self._waiting = self._waiting, {}
        for batch in pipe.fail(self._time.monotonic(), error):
            self._buffer(batch.writes)
        self._buffer(later)
        self._routes.note_failure()


def _keys_in(writes: Mapping[str, Write], keys: set[str]) -> set[str]:
    """Returns those of the keys that writes speak of."""
    found = keys & writes.keys()
    announcement = writes.get(ITEMS_STREAM)
    return found | keys.intersection(announcement.keys) if isinstance(announcement, Announcement) else found
