"""Reads that follow a change: a request waits until this process has read what another has acknowledged of the catalogue."""

import time
from typing import Final, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from online.support import metrics
from online.support.api_paths import API

TIMEOUT: Final = 0.2
"""Seconds that a request may wait; then it is answered from what is there, and counted …"""
REST: Final = 1.0
"""… as are the requests of so many seconds after it, which do not wait."""


class Follower(Protocol):
    """What follows the catalogue."""

    @property
    def behind(self) -> bool:
        """Whether another process of this machine has acknowledged a change that is not read yet."""
        ...

    async def catch_up(self, timeout: float) -> bool:
        """Wait until all is read that was acknowledged by now; False after `timeout` s."""
        ...


class CatchUp:
    """Middleware for /v1: waits, where that is needed, before the request is handled."""

    def __init__(self, app: ASGIApp, follower: Follower) -> None:
        self._app, self._follower = app, follower
        self._rests_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            self._follower.behind
            and scope["type"] == "http"
            and scope["path"].startswith(API)
            and not await self._catch_up()
        ):
            metrics.CATALOGUE_BEHIND.inc()
        await self._app(scope, receive, send)

    async def _catch_up(self) -> bool:
        if time.monotonic() < self._rests_until:
            return False
        if not await self._follower.catch_up(TIMEOUT):
            self._rests_until = time.monotonic() + REST
            return False
        return True
