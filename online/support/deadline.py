"""A timeout that ignores delays of our own event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

GRACE_TICKS: Final = 3
"""Iterations of the loop between the deadline and the error, in which responses already received reach their waiters."""
_SOON: Final = 0.001


class _Timer:
    """Expires the timeout GRACE_TICKS ticks after its deadline."""

    def __init__(self, timeout: asyncio.Timeout, seconds: float) -> None:
        self._timeout, self._loop = timeout, asyncio.get_running_loop()
        self._handle = self._loop.call_later(seconds, self._tick, GRACE_TICKS)

    def _tick(self, left: int) -> None:
        if left:
            self._handle = self._loop.call_later(_SOON, self._tick, left - 1)
        else:
            self._timeout.reschedule(self._loop.time())

    def cancel(self) -> None:
        self._handle.cancel()


@contextlib.asynccontextmanager
async def lag_tolerant_timeout(seconds: float) -> AsyncIterator[None]:
    """`asyncio.timeout`, except that a response received while the loop was busy is accepted after the deadline.

    A plain timeout of a loop that was busy for longer fires before the loop has delivered received responses: it would blame
    a service that responded at once. Raises TimeoutError.
    """
    async with asyncio.timeout(None) as timeout:
        timer = _Timer(timeout, seconds)
        try:
            yield
        finally:
            timer.cancel()
