"""Waits for a caller's own events to be in the features (`seen`): by Redis' notice of a user's update, not by polling."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Final

from features.errors import Unavailable
from features.types import UserId
from online.stores.user_store import UserStore
from online.stores.user_updates import UserUpdates
from online.support import metrics

MAX_WAITS: Final = 64
"""Callers that wait at once; those beyond them learn only what holds at the moment."""
BACKSTOP: Final = 0.05
"""Seconds between two reads without a notice: one may be lost with its connection."""


class SeenWaits:
    """Waits for users' features, on a connection of its own that hears of updates."""

    def __init__(self, users: UserStore, updates: UserUpdates, limit: int = MAX_WAITS) -> None:
        self._users, self._updates, self._limit = users, updates, limit
        self._waiting = 0

    async def stop(self) -> None:
        await self._updates.stop()

    async def wait_for(self, offsets: Mapping[UserId, int], timeout: float) -> bool:
        """Wait until the features of these users hold all records before these offsets; False after `timeout` s, if Redis does
        not answer, and at once if too many wait already."""
        deadline = time.monotonic() + timeout
        try:
            left = await self._users.behind(offsets, timeout)
        except Unavailable:
            return False
        if not left:
            return True
        if self._waiting >= self._limit:
            metrics.SEEN_NOT_WAITED.inc()
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(max(0.001, deadline - time.monotonic())):
                await self._until_applied(left, deadline)
        except (TimeoutError, Unavailable):
            return False
        finally:
            self._waiting -= 1
        return True

    async def _until_applied(self, left: Mapping[UserId, int], deadline: float) -> None:
        async with self._updates.subscribe(*left, timeout=BACKSTOP) as updated:
            while left := await self._users.behind(left, max(0.001, deadline - time.monotonic())):
                if time.monotonic() >= deadline:  # Python 3.11 may lose the cancellation that the caller's timeout is
                    raise TimeoutError
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BACKSTOP):
                        await updated.wait()
                updated.clear()
