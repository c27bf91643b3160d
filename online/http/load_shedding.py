"""Load shedding: under overload some lists are made in time and the rest are refused at once with 503.

Lists wait for a slot in a short queue, since a list after the deadline is worth nothing and costs as much.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from features.http_connections import RequestLimit
from online.http.problems import Problem, problem_response
from online.support import metrics

MAX_CONCURRENT: Final = 8
"""Lists made at once. Their computation is serial; only the waits for Redis and the model server overlap."""
MAX_WAITING: Final = 32
QUEUE_TIMEOUT: Final = 0.05
"""Seconds that a list may wait for a slot: a part of the deadline."""
MAX_BACKGROUND: Final = 2
"""Of these, background lists at most: those for many users, and those that streams push. They queue separately, so that
they do not delay interactive lists."""
BACKGROUND_TIMEOUT: Final = 10.0
"""Seconds that a background list may wait for each of its two slots."""
MAX_STREAMS: Final = 100
"""Open streams at most, of the 512 requests of one process: the rest is for events, pages and health checks."""
MAX_WRITES: Final = 320
"""Writes in progress at once, of the 512 requests of one process: while Kafka acknowledges nothing each waits for seconds, and
the rest is for lists, streams and pages."""
MANY_WRITES: Final = "more writes wait for Kafka than this process takes at once"
LISTS: Final = ("/v1/recommendations", "/v1/rank")
TOO_MANY: Final = "more lists are asked for than this process can make in time"
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
BUSY: Final = "more requests are in progress than this process takes at once"
_RETRY_AFTER: Final = {"Retry-After": "1"}
_RETRY_STREAM_AFTER: Final = {"Retry-After": "5"}


class LoadShedder:
    """Slots for `concurrent` lists, at most `background` of them for background lists; `waiting` more may queue, for `timeout`
    seconds each."""

    def __init__(
        self,
        concurrent: int = MAX_CONCURRENT,
        waiting: int = MAX_WAITING,
        background: int = MAX_BACKGROUND,
        timeout: float = QUEUE_TIMEOUT,
    ) -> None:
        self._slots = asyncio.Semaphore(concurrent)
        self._background = asyncio.Semaphore(background)
        self._max_waiting = waiting
        self._timeout = timeout
        self._waiting = 0

    @property
    def full(self) -> bool:
        return self._waiting >= self._max_waiting

    def slot(self) -> "_Slot":
        """Hold a slot; yields the seconds waited for it. Raises a 503 Problem if none is free in time."""
        return _Slot(self)

    async def acquire(self) -> float:
        """Take a slot; returns the seconds waited for it. Raises as `slot`."""
        if not self._slots.locked():
            await self._slots.acquire()
            return 0.0
        began = time.monotonic()
        self._waiting += 1
        try:
            await _acquire(self._slots, self._timeout)
        finally:
            self._waiting -= 1
        return time.monotonic() - began

    def release(self) -> None:
        self._slots.release()

    @contextlib.asynccontextmanager
    async def background_slot(self) -> AsyncIterator[float]:
        """Hold a background slot and a slot, waiting up to BACKGROUND_TIMEOUT for each. Yields 0: the list's deadline starts
        only now."""
        await _acquire(self._background, BACKGROUND_TIMEOUT)
        try:
            await _acquire(self._slots, BACKGROUND_TIMEOUT)
            try:
                yield 0.0
            finally:
                self._slots.release()
        finally:
            self._background.release()


class _Slot:
    """A slot while it is held; a generator in its place takes twice as long, 2 µs."""

    __slots__ = ("_shedder",)

    def __init__(self, shedder: LoadShedder) -> None:
        self._shedder = shedder

    async def __aenter__(self) -> float:
        return await self._shedder.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._shedder.release()


class StreamSlots:
    """Slots for `limit` open streams."""

    def __init__(self, limit: int = MAX_STREAMS) -> None:
        self._limit = limit
        self.taken = 0

    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot, from before the stream's response begins until it has ended. Raises a 503 Problem where all are taken."""
        if self.taken >= self._limit:
            metrics.REFUSED_CALLS.labels("503").inc()
            detail = f"{self._limit} streams are open, as many as one API process keeps"
            raise Problem(503, detail, _RETRY_STREAM_AFTER)
        self.taken += 1
        metrics.STREAMS.inc()
        try:
            yield
        finally:
            self.taken -= 1
            metrics.STREAMS.dec()


async def _acquire(slots: asyncio.Semaphore, timeout: float) -> None:
    if not slots.locked():
        await slots.acquire()
        return
    try:
        async with asyncio.timeout(timeout):
            await slots.acquire()
    except TimeoutError:
        metrics.REFUSED_CALLS.labels("503").inc()
        raise Problem(503, TOO_MANY, _RETRY_AFTER) from None


class LoadGuard:
    """Middleware that refuses requests for lists while the queue is full, before it reads their bodies."""

    def __init__(self, app: ASGIApp, shedder: LoadShedder) -> None:
        self._app, self._shedder = app, shedder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._shedder.full and scope["path"] in LISTS:
            await _refuse(TOO_MANY, scope, receive, send)
        else:
            await self._app(scope, receive, send)


class WriteLimit:
    """Middleware that lets at most `limit` writes be in progress, all requests that neither read nor ask for lists, and answers
    what comes beyond them with 503, of which nothing is written."""

    def __init__(self, app: ASGIApp, limit: int = MAX_WRITES) -> None:
        self._app = app
        self._limited = RequestLimit(app, partial(_refuse, MANY_WRITES), limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_write = scope["type"] == "http" and scope["method"] not in READING and scope["path"] not in LISTS
        await (self._limited if is_write else self._app)(scope, receive, send)


async def refuse_busy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request beyond `features.http_connections.MAX_REQUESTS` with 503. An ASGI application."""
    await _refuse(BUSY, scope, receive, send)


async def _refuse(detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    metrics.REFUSED_CALLS.labels("503").inc()
    await problem_response(503, detail, _RETRY_AFTER)(scope, receive, send)
