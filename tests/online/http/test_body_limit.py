"""Large bodies together: what they hold is bounded, whoever else sends small ones."""

import asyncio
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from features.http_bodies import STANDS_STILL
from online.http.body_limit import LARGE_LIMITS, SMALL, BodyLimit
from tests.patience import patience

LARGE = 1 << 20
LIMIT = LARGE_LIMITS["POST", "/v1/events"]
Status = int


def post() -> Scope:
    return {"type": "http", "method": "POST", "path": "/v1/events", "headers": [], "app": None}


class Held:
    """An application that holds each body until it is released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.bodies: list[int] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(len((await receive())["body"]))
        await self.release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def send_body(limit: BodyLimit, size: int, part: int = SMALL) -> tuple[Status, dict[bytes, bytes]]:
    """Status and headers of the response to a body that comes in parts."""
    left, started = size, list[Any]()

    async def receive() -> Message:
        nonlocal left
        now = min(part, left)
        left -= now
        return {"type": "http.request", "body": b"x" * now, "more_body": left > 0}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append((message["status"], dict(message["headers"])))

    await limit(post(), receive, send)
    return started[0]  # type: ignore[no-any-return]


async def all_wait() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


def test_large_bodies_share_what_they_may_hold_and_small_ones_are_not_counted() -> None:
    async def play() -> None:
        app = Held()
        limit = BodyLimit(app, together=2 * LARGE)
        large = [asyncio.create_task(send_body(limit, LARGE)) for _ in range(2)]
        await all_wait()
        assert app.bodies == [LARGE, LARGE]
        async with asyncio.timeout(10):
            status, headers = await send_body(limit, LARGE)
        assert (status, headers[b"retry-after"], headers[b"connection"]) == (503, b"1", b"close")
        small = asyncio.create_task(send_body(limit, SMALL))
        await all_wait()
        assert app.bodies == [LARGE, LARGE, SMALL]
        app.release.set()
        assert [(await each)[0] for each in (*large, small)] == [200, 200, 200]
        assert (await send_body(limit, LARGE))[0] == 200

    asyncio.run(play())


def test_an_upload_that_stands_still_makes_room_for_another() -> None:
    async def play() -> None:
        app, now = Held(), [0.0]
        app.release.set()
        limit = BodyLimit(app, together=LARGE, clock=lambda: now[0])
        started: list[Message] = []
        parts = [{"type": "http.request", "body": b"x" * LARGE, "more_body": True}]

        async def receive() -> Message:
            return parts.pop() if parts else await asyncio.Future()

        async def send(message: Message) -> None:
            started.append(message)

        still = asyncio.create_task(limit(post(), receive, send))
        await all_wait()
        assert (await send_body(limit, LARGE))[0] == 503
        now[0] = STANDS_STILL
        assert (await send_body(limit, LARGE))[0] == 200
        await asyncio.wait([still], timeout=patience(5))
        assert (started[0]["status"], dict(started[0]["headers"])[b"retry-after"]) == (503, b"1")
        assert b"the body stood still" in started[1]["body"]

    asyncio.run(play())


def test_what_is_refused_holds_nothing() -> None:
    async def play() -> None:
        app = Held()
        app.release.set()
        limit = BodyLimit(app, together=LIMIT)
        for _ in range(3):
            assert (await send_body(limit, LIMIT + 1))[0] == 413
            assert (await send_body(limit, LIMIT))[0] == 200

    asyncio.run(play())
