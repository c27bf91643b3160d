"""What stays of requests for which nobody waits any more."""

import asyncio
import threading
import weakref

import pytest

from models.server.engine.worker_threads import Lanes
from tests.patience import patience

pytestmark = pytest.mark.keras


class Work:
    """Work that lasts until it is told to end."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.end = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        self.end.wait(patience(60))


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel ``task``, again and again, and wait until it has ended."""
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()


def test_of_work_that_waits_nothing_stays_once_its_caller_is_cancelled() -> None:
    async def waits() -> None:
        lanes, busy = Lanes(), [Work(), Work()]
        running = [asyncio.create_task(lanes.run_in_background(work)) for work in busy]
        for work in busy:
            await asyncio.to_thread(work.begun.wait, patience(60))
        waiting = Work()
        kept = weakref.ref(waiting)
        task = asyncio.create_task(lanes.run_in_background(waiting))
        del waiting
        await asyncio.sleep(0)
        await cancelled(task)
        del task
        assert kept() is None
        for work in busy:
            work.end.set()
        await asyncio.gather(*running)
        lanes.close()

    asyncio.run(waits())


def test_work_that_has_begun_is_waited_for_by_a_caller_that_is_cancelled() -> None:
    async def waits() -> None:
        lanes, work = Lanes(), Work()
        task = asyncio.create_task(lanes.run_in_background(work))
        await asyncio.to_thread(work.begun.wait, patience(60))
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        work.end.set()
        await asyncio.wait([task])
        assert task.cancelled()
        lanes.close()

    asyncio.run(waits())
