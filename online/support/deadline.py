"""A timeout that ignores delays of our own event loop."""

import asyncio
from types import TracebackType
from typing import Final

GRACE_TICKS: Final = 3
"""Iterations of the loop between the deadline and the error, in which responses already received reach their waiters."""
_SOON: Final = 0.001


class lag_tolerant_timeout:  # as asyncio.timeout, which it stands for
    """`asyncio.timeout`, except that a response received while the loop was busy is accepted after the deadline.

    A plain timeout of a loop that was busy for longer fires before the loop has delivered received responses: it would blame
    a service that responded at once. Raises TimeoutError.
    """

    __slots__ = ("_handle", "_loop", "_seconds", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> None:
        self._timeout, self._loop = asyncio.timeout(None), asyncio.get_running_loop()
        await self._timeout.__aenter__()
        self._handle = self._loop.call_later(self._seconds, self._tick, GRACE_TICKS)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._handle.cancel()
        await self._timeout.__aexit__(kind, error, where)

    def _tick(self, left: int) -> None:
        if left:
            self._handle = self._loop.call_later(_SOON, self._tick, left - 1)
        else:
            self._timeout.reschedule(self._loop.time())
