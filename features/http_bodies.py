"""Bodies of requests to an HTTP server: how one is read, and what large ones hold together.

Where there is no room for more, a body that still arrives and has stood still makes room. All of this is used on the event loop
alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

STANDS_STILL: Final = 2.0
"""Seconds for which a body has grown by nothing before it makes room for another: what a busy machine or a lost packet costs is
less."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class TooLarge(Exception):
    """A body has, or says that it has, more bytes than it may."""


class Disconnected(Exception):
    """The caller left before the whole body had come."""


class Bodies:
    """The bytes that large bodies hold together.

    limit      bytes of all of them
    arriving   bytes of those that are not whole yet
    small      bytes of a body that holds nothing
    refusal    the error, by its text, of a body for which the others leave no room
    """

    def __init__(
        self,
        limit: int,
        arriving: int,
        small: int,
        refusal: Callable[[str], Exception],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit, self.arriving, self.small, self.refusal, self.clock = limit, arriving, small, refusal, clock
        self._bodies: set[Body] = set()

    @contextmanager
    def of_one(self) -> Iterator["Body"]:
        """A body that holds nothing yet, and what it comes to hold until the block ends."""
        body = Body(self)
        self._bodies.add(body)
        try:
            yield body
        finally:
            self._bodies.discard(body)

    def make_room(self, body: "Body", size: int) -> None:
        """Let ``body`` become of that size: others that stand still are ended for it, if that is enough. Raises the refusal."""
        others = self._bodies - {body}
        self._make_room(others, size, self.limit, "held")
        if body.arrives:
            self._make_room({each for each in others if each.arrives}, size, self.arriving, "arriving")

    def _make_room(self, others: "Iterable[Body]", size: int, limit: int, state: str) -> None:
        total = size + sum(each.size for each in others)
        if total <= limit:
            return
        now = self.clock()
        still = [each for each in others if each.size and each.arrives and each.grew_at <= now - STANDS_STILL]
        if total - sum(each.size for each in still) > limit:
            raise self.refusal(
                f"too many large requests {state} at once: expected {limit} bytes in all of them at most, got {total}; "
                "try again later"
            )
        for each in sorted(still, key=lambda each: each.grew_at):
            if total > limit:
                total -= each.size
                each.end()


class Body:
    """What one body holds of all.

    size     bytes that it holds
    grew_at  when its last bytes came, by the clock of all
    """

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._arrival: asyncio.Timeout | None = None
        self._is_ended = False
        self.size, self.grew_at = 0, 0.0

    @property
    def arrives(self) -> bool:
        """Whether it is being read, and may be ended."""
        return self._arrival is not None and not self._arrival.expired()

    def hold(self, size: int) -> None:
        """Hold so much from now on. Raises the refusal, and holds no more than before, where the others leave no room."""
        if size > self._bodies.small:
            self._bodies.make_room(self, size)
            self.size = size

    def end(self) -> None:
        """Hold nothing more, and end the reading with the refusal."""
        if self._arrival is not None:
            self._arrival.reschedule(0)
        self.size, self._is_ended = 0, True

    async def read(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive, limit: int, seconds: float) -> bytes:
        """The whole body of a request with these headers, held as far as it has come.

        Raises TooLarge beyond ``limit`` bytes, TimeoutError after so many seconds, Disconnected, and the refusal.
        """
        declared = next((value for name, value in headers if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > limit:
            raise TooLarge
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds) as self._arrival:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    chunk: bytes = message.get("body", b"")
                    size += len(chunk)
                    if size > limit:
                        raise TooLarge
                    self.grew_at = self._bodies.clock()
                    if not message.get("more_body", False):
                        self._arrival = None
                    self.hold(size)
                    chunks.append(chunk)
                    if self._arrival is None:
                        return b"".join(chunks)
        except TimeoutError:
            if self._is_ended:
                raise self._bodies.refusal(
                    "the body stood still, and others needed the memory that it held; try again later"
                ) from None
            raise
        finally:
            self._arrival = None
