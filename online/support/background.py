"""Work of the API that goes on in the background: for as long as it runs, whatever happens to one round of it, and its end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

logger = logging.getLogger(__name__)

AGAIN: Final = 0.1
"""Seconds after which a task that has not ended is cancelled once more."""
GIVE_UP: Final = 5.0
"""Seconds after which a task that has not ended is left to itself."""


async def repeat(name: str, work: Callable[[], Awaitable[None]], every: float) -> None:
    """Do `work`, wait `every` seconds, and so on until cancelled. An error that `work` does not handle is logged, with `name`."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("%s failed; trying again", name)
        await asyncio.sleep(every)


async def end(*tasks: "asyncio.Task[Any] | None", again: float = AGAIN, give_up: float = GIVE_UP) -> None:
    """Cancel tasks and wait until all have ended, with whatever result; after `give_up` s those that have not are logged. A
    library may lose a cancellation that meets what it waits for (a Redis client that connects does): every `again` s the tasks
    that are left are cancelled once more."""
    left = {task for task in tasks if task is not None}
    until = asyncio.get_running_loop().time() + give_up
    while left and asyncio.get_running_loop().time() < until:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=again)
        for task in done:
            if not task.cancelled():
                task.exception()  # its own affair, and logged there
    for task in left:
        logger.error("the task %r does not end", task.get_name())
