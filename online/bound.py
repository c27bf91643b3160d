"""A bound on a wait for somebody else that does not count this process' own lateness against them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

LOOKS: Final = 3
"""Turns of the loop between the bound's end and the error: what came meanwhile is read, then handed to whom waits for it."""
_SOON: Final = 0.0005


@contextlib.asynccontextmanager
async def bounded(seconds: float) -> AsyncIterator[None]:
    """`asyncio.timeout`, but an answer that has come while the loop was busy with other lists is taken, though the time is over.

    The loop sees that the time is over before it reads its sockets. So where it was busy for longer than the bound, a plain
    timeout would say of a service that had answered at once that it did not. Raises TimeoutError.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as bound:
        timer: asyncio.TimerHandle = loop.call_later(seconds, lambda: look(LOOKS))

        def look(left: int) -> None:
            nonlocal timer
            if left:
                timer = loop.call_later(_SOON, look, left - 1)
            else:
                bound.reschedule(loop.time())

        try:
            yield
        finally:
            timer.cancel()
