"""Limits on request bodies before anything is parsed: the size of each, the time it may take to arrive, and the memory that large
ones take together."""

import time
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.http_bodies import Bodies, Body, Disconnected, TooLarge
from online.http.problems import Problem, problem_response

BODY_LIMIT: Final = 256 << 10
"""Bytes of a body: what is made of so many holds up other requests for some hundredths of a second at worst. The largest that
has a use, a thousand ids to exclude, has 131 kB."""
LARGE_LIMITS: Final = {("POST", "/v1/events"): 2 << 20, ("POST", "/v1/items"): 16 << 20}
"""Limits of routes that take more, and read it piece by piece: 1,000 events of 2 kB, 10,000 items of 1.6 kB."""
BODY_TIMEOUT = 10.0
SMALL: Final = 64 << 10
"""Bytes up to which a body is not counted with the others: as many bodies as there may be requests have these."""
TOGETHER: Final = 64 << 20
"""Bytes that all bodies of more than those may hold at once, until their responses are made."""


class BodyLimit:
    """Answers 413 for a body over the route's limit, 408 for one slower than BODY_TIMEOUT, and 503 for one for which the others
    leave no room, or that stands still while they need its own; passes the whole body on.

    together: bytes that all bodies of more than SMALL may hold at once
    """

    def __init__(self, app: ASGIApp, together: int = TOGETHER, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._bodies = app, Bodies(together, together, SMALL, _no_room, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        with self._bodies.of_one() as body:
            try:
                data = await _read(scope, receive, body)
            except Problem as problem:
                await _refuse(problem, scope, receive, send)
                return
            if data is not None:
                await self._app(scope, _replaying(data, receive), send)


def _no_room(text: str) -> Problem:
    return Problem(503, text, {"Retry-After": "1"})


async def _read(scope: Scope, receive: Receive, body: Body) -> bytes | None:
    """The whole body; None where its caller has gone. Raises Problem."""
    limit = LARGE_LIMITS.get((scope["method"], scope["path"]), BODY_LIMIT)
    try:
        return await body.read(scope["headers"], receive, limit, BODY_TIMEOUT)
    except Disconnected:
        return None
    except TooLarge:
        raise Problem(413, f"the body is over {limit} bytes") from None
    except TimeoutError as error:
        raise Problem(408, f"the body did not arrive within {BODY_TIMEOUT:.0f} s") from error


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Gives the whole body, then what else comes."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return whole.pop() if whole else await receive()

    return replay


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {"Connection": "close", **(problem.headers or {})}
    await problem_response(problem.status, problem.detail, headers)(scope, receive, send)
