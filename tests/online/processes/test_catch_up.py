"""A request waits for what other processes have acknowledged, and none waits for a log that stands still."""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from online.processes.catch_up import TIMEOUT, CatchUp
from online.support import metrics
from tests.online.counts import count_of


class StandsStill:
    """A follower that never catches up. waited: seconds that it was given, call by call."""

    def __init__(self) -> None:
        self.behind = True
        self.waited: list[float] = []

    async def catch_up(self, timeout: float) -> bool:
        self.waited.append(timeout)
        return False


class Reads(StandsStill):
    """A follower that catches up at once."""

    async def catch_up(self, timeout: float) -> bool:
        self.behind = False
        return not await super().catch_up(timeout)


def handled(follower: StandsStill, *paths: str) -> list[str]:
    """The paths of the requests that were handled, in order."""
    answered: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answered.append(scope["path"])

    async def run() -> None:
        catching_up: Any = CatchUp(app, follower)
        for path in paths:
            await catching_up({"type": "http", "path": path}, None, None)

    asyncio.run(run())
    return answered


def test_a_request_of_the_api_waits_until_all_is_read() -> None:
    follower = Reads()
    assert handled(follower, "/healthz", "/v1/items/1", "/v1/items/2") == ["/healthz", "/v1/items/1", "/v1/items/2"]
    assert follower.waited == [TIMEOUT]


def test_where_the_log_stands_still_one_request_waits_and_each_is_counted() -> None:
    follower, before = StandsStill(), count_of(metrics.CATALOGUE_BEHIND)
    assert len(handled(follower, *["/v1/items/1"] * 5)) == 5
    assert follower.waited == [TIMEOUT]
    assert count_of(metrics.CATALOGUE_BEHIND) == before + 5
