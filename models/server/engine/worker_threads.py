"""The choice of where a request runs: small ones at once on the event loop, which is fastest; large ones on two threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

INLINE_BYTES = 512 * 1024
"""A request of this size (a thousand candidates as JSON rows) takes a few milliseconds; others need not wait longer."""

_T = TypeVar("_T")


class Lanes:
    """The choice between the loop and the threads, by the size of the request."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="large-request")

    async def run(self, size: int, work: Callable[[], _T]) -> _T:
        """The result of ``work``, on a request of ``size`` bytes, as it came or decoded."""
        if size <= INLINE_BYTES:
            return work()
        return await self.run_in_background(work)

    async def run_in_background(self, work: Callable[[], _T]) -> _T:
        """The result of ``work`` on a thread: what takes long whatever its size."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Drop what has not begun; what has may finish."""
        self._threads.shutdown(wait=False, cancel_futures=True)
