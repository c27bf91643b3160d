"""A server that features are written to: its connection, the batches whose replies are not read yet, and when to try it again."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from features.engines.redis_address import RedisAddress
from features.engines.redis_slots import Redirect
from features.errors import Unavailable
from streaming.redis_sink.redis_commands import Write
from streaming.redis_sink.redis_connection import Connection

IN_FLIGHT: Final = 4
"""Maximum number of batches sent to a server whose replies have not been read."""
CALL_TIMEOUT: Final = 2.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds from a failure to the next attempt: doubled each time, between these bounds."""

Connect = Callable[[RedisAddress, float], Connection]
"""Opens a connection: where to, seconds that each wait may take. Raises Unavailable."""


@dataclass(slots=True)
class Batch:
    """Writes sent to a server together.

    writes        by key
    commands      how many replies there are to come: those of the writes first; the last one is the server's time
    stride        how many of them each write has: with ASKING before it, 2
    items         those of the keys that are of items, and to be announced
    is_announced  whether the batch does so, behind its writes
    """

    writes: dict[str, Write]
    commands: int
    stride: int
    items: tuple[str, ...]
    is_announced: bool

    def redirects(self, replies: list[Any]) -> dict[str, Redirect]:
        """Returns what the server replied, by key, to those of the writes that it did not carry out."""
        own = zip(self.writes, replies[self.stride - 1 :: self.stride], strict=False)
        return {key: reply for key, reply in own if isinstance(reply, Redirect)}

    def updates(self, replies: list[Any]) -> list[Write]:
        """Returns the writes whose state the server did not have before: not those that it was sent again, as after a restart."""
        own = zip(self.writes.values(), replies[self.stride - 1 :: self.stride], strict=False)
        return [write for write, reply in own if reply == 1]

    def unannounced(self, replies: list[Any]) -> bool:
        """Whether its items are still to be announced."""
        is_announced = self.is_announced and not isinstance(replies[len(self.writes) * self.stride], Redirect)
        return bool(self.items) and not is_announced


class ServerPipe:
    """One server. Methods that send or read raise Unavailable if it fails; what was on its way is then got by `fail`."""

    def __init__(self, address: RedisAddress, connect: Connect) -> None:
        self.address = address
        self.in_flight: deque[Batch] = deque()
        self.retry_at = 0.0
        self._connect = connect
        self._connection: Connection | None = None
        self._failures = 0
        self._pause = 0.0

    @property
    def connection(self) -> Connection:
        """The connection, which is made where there is none."""
        if self._connection is None:
            self._connection = self._connect(self.address, CALL_TIMEOUT)
        return self._connection

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def clear_redirects(self) -> None:
        """Take it that all redirects of before are followed."""
        if self._connection is not None:
            self._connection.has_redirects = False

    def with_changes_on_their_way(self, writes: dict[str, Write]) -> dict[str, Write]:
        """Returns the writes, each with the changes of its key that are on their way."""
        changes: dict[str, Write] = {}
        for batch in self.in_flight:
            for key in batch.writes.keys() & writes.keys():
                write, earlier = batch.writes[key], changes.get(key)
                if write.is_change:
                    changes[key] = write if earlier is None else write.after(earlier)
        if not changes:
            return writes
        return {key: write.after(changes[key]) if key in changes else write for key, write in writes.items()}

    def send(self, batch: Batch, commands: list[bytes]) -> None:
        """Send the commands of a batch. It is on its way from now on, even where this raises Unavailable."""
        self.in_flight.append(batch)
        self.connection.send(commands)

    def request(self, command: bytes) -> Any:
        """Send a command while nothing is on its way; returns its reply."""
        self.connection.send([command])
        return self.connection.read_replies(1)[0]

    def read(self) -> tuple[Batch, list[Any]]:
        """Wait for the replies to the oldest batch; returns both."""
        batch = self.in_flight[0]
        replies = self.connection.read_replies(batch.commands)
        self.in_flight.popleft()
        self._failures, self._pause = 0, 0.0
        return batch, replies

    def fail(self, now: float, error: Unavailable) -> list[Batch]:
        """Close the connection and pause; returns the batches whose replies were not read, the oldest first."""
        self.close()
        lost = list(self.in_flight)
        self.in_flight.clear()
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or SHORTEST_PAUSE)
        self.retry_at = now + self._pause
        if self._failures % 50 == 0:
            print(f"feature writer: Redis does not take writes ({error}); trying again", flush=True)
        self._failures += 1
        return lost

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
