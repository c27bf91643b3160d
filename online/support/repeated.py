"""Work of the API that goes on for as long as it runs, whatever happens to one round of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


async def repeat(name: str, work: Callable[[], Awaitable[None]], every: float) -> None:
    """Do `work`, wait `every` seconds, and so on until cancelled. An error that `work` does not handle is logged, with `name`."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("%s failed; trying again", name)
        await asyncio.sleep(every)
