"""The choice of where a request runs: small ones at once on the event loop, which is fastest; large ones on two threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

INLINE_BYTES = 512 * 1024
"""A request of this size (a thousand candidates as JSON rows) takes a few milliseconds; others need not wait longer."""

_THREADS = 2
_P = TypeVar("_P")
_T = TypeVar("_T")


class Lanes:
    """The choice between the loop and the threads, by the size of the request."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="large-request")
        self._slots = asyncio.Semaphore(_THREADS)
        self._large = asyncio.Lock()
        """Parsing takes some 30 times a request's bytes at worst, and holds the interpreter: one request of more than
        INLINE_BYTES, of either protocol, is parsed at a time, and held decoded."""

    async def run(
        self, size: int, parse: Callable[[], _P], becomes: Callable[[_P], float], work: Callable[[_P], _T]
    ) -> _T:
        """The result of ``work`` on what ``parse`` gives of a request of ``size`` bytes, which ``becomes`` so many more.

        A large request is parsed on a thread, too, one at a time; one that becomes large goes there for the work, and is parsed
        anew: what waits for a thread is the bytes in which it came.
        """
        if size > INLINE_BYTES:
            async with self._large:
                return await self.run_in_background(lambda: work(parse()))
        parsed = parse()
        if size + becomes(parsed) > INLINE_BYTES:
            del parsed
            return await self.run_in_background(lambda: work(parse()))
        return work(parsed)

    async def run_in_background(self, work: Callable[[], _T]) -> _T:
        """The result of ``work`` on a thread: what takes long whatever its size.

        Of a caller that is cancelled nothing stays once this has ended: work that has not begun is dropped at once, and work
        that has is waited for.
        """
        async with self._slots:
            return await _to_its_end(asyncio.get_running_loop().run_in_executor(self._threads, work))

    def close(self) -> None:
        """Begin nothing more; what has begun may finish."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _to_its_end(begun: "asyncio.Future[_T]") -> _T:
    """The result of what has begun; a caller that is cancelled hears of it when that has ended."""
    try:
        await asyncio.wait([begun])
        return begun.result()
    finally:
        while not begun.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([begun])
        begun.exception()  # nobody else may ask for it, and the loop would say so
        del begun  # its error holds this frame
