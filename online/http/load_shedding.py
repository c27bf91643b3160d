"""Under more load than there is room for, some are answered in time and the rest are told at once to come again: lists wait
for their turn in a short queue, since an answer after the deadline is worth nothing and costs as much.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from online.http.problems import Problem, problem_response
from online.support import metrics

AT_ONCE: Final = 8
"""Lists made at once. One process makes them one after another, but for the waits for Redis and the model server."""
WAITING: Final = 32
PATIENCE: Final = 0.05
"""Seconds that a list may wait for its turn: a part of the deadline."""
ASIDE: Final = 2
"""Of these, lists that nobody waits for at a screen, at most: those for many users, and those that are pushed. They wait apart
from the others, who would not get their turn in time behind them."""
LONG: Final = 10.0
"""Seconds that such a list may wait."""
LISTS: Final = ("/v1/recommendations", "/v1/rank")
TOO_MANY: Final = "more lists are asked for than this process can make in time"
_AGAIN: Final = {"Retry-After": "1"}


class LoadShedder:
    """Room for `at_once`, of these `aside` for lists that may wait long; `waiting` more may stand before it."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, aside: int = ASIDE) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._aside = asyncio.Semaphore(aside)
        self._most = waiting
        self._waiting = 0

    @property
    def full(self) -> bool:
        return self._waiting >= self._most

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """Seconds that were waited. Raises a Problem, 503, for whom there is no room within PATIENCE."""
        began = time.monotonic()
        waits = int(self._room.locked())
        self._waiting += waits
        try:
            await _acquire(self._room, PATIENCE)
        finally:
            self._waiting -= waits
        try:
            yield time.monotonic() - began
        finally:
            self._room.release()

    @contextlib.asynccontextmanager
    async def turn_aside(self) -> AsyncIterator[float]:
        """The same for a list that may wait, for LONG at each of two doors; its deadline begins with its turn."""
        await _acquire(self._aside, LONG)
        try:
            await _acquire(self._room, LONG)
            try:
                yield 0.0
            finally:
                self._room.release()
        finally:
            self._aside.release()


async def _acquire(room: asyncio.Semaphore, patience: float) -> None:
    if not room.locked():
        await room.acquire()
        return
    try:
        await asyncio.wait_for(room.acquire(), patience)
    except TimeoutError:
        metrics.REFUSED_CALLS.labels("503").inc()
        raise Problem(503, TOO_MANY, _AGAIN) from None


class LoadGuard:
    """Answers calls for lists, while the gate's queue is full, before anything is read of them."""

    def __init__(self, app: ASGIApp, gate: LoadShedder) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._gate.full and scope["path"] in LISTS:
            metrics.REFUSED_CALLS.labels("503").inc()
            await problem_response(503, TOO_MANY, _AGAIN)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
