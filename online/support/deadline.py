"""A bound on a wait for somebody else that does not count this process' own lateness against them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

GRACE_TICKS: Final = 3
"""Turns of the loop between the bound's end and the error: what came meanwhile is read, then handed to whom waits for it."""
_SOON: Final = 0.001


class _Timer:
    """Ends the timeout when it has looked LOOKS times more."""

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
    """`asyncio.timeout`, but an answer that has come while the loop was busy with other lists is taken, though the time is over.

    A loop that was busy for longer than the bound gives up before it has handed over what came meanwhile. So a plain timeout
    would say of a service that had answered at once that it did not. Raises TimeoutError.
    """
    async with asyncio.timeout(None) as timeout:
        timer = _Timer(timeout, seconds)
        try:
            yield
        finally:
            timer.cancel()
