"""Limits on request bodies before anything is parsed: the size of each, the time it may take to arrive, and the memory that large
ones take together."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from online.http.problems import Problem, problem_response

BODY_LIMIT = 2 << 20
LARGE_LIMITS = {("POST", "/v1/items"): 16 << 20}
"""Limits of routes that take more: 10,000 items of 1.6 kB each."""
BODY_TIMEOUT = 10.0
SMALL: Final = 64 << 10
"""Bytes of each body that are not counted with the others': as many bodies as there may be requests have these."""
TOGETHER: Final = 64 << 20
"""Bytes beyond those that all bodies may hold at once, until their responses are made."""


class Memory:
    """What large bodies may hold together, in bytes."""

    def __init__(self, size: int) -> None:
        self._left = size

    @contextmanager
    def of_one(self) -> Iterator[Callable[[int], None]]:
        """For as long as a body is held: what to call with its size so far. Raises Problem where the others leave no room."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            more = max(0, size - SMALL) - held
            if more > self._left:
                raise Problem(503, "too many large bodies at once", {"Retry-After": "1"})
            held += more
            self._left -= more

        try:
            yield hold
        finally:
            self._left += held


class BodyLimit:
    """Answers 413 for a body over the route's limit, 408 for one slower than BODY_TIMEOUT, and 503 for one for which the others
    leave no room; passes the whole body on.

    together: bytes beyond SMALL of each that all bodies may hold at once
    """

    def __init__(self, app: ASGIApp, together: int = TOGETHER) -> None:
        self._app, self._memory = app, Memory(together)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        with self._memory.of_one() as hold:
            try:
                body = await _read(scope, receive, hold)
            except Problem as problem:
                await _refuse(problem, scope, receive, send)
                return
            if body is not None:
                await self._app(scope, _replaying(body, receive), send)


async def _read(scope: Scope, receive: Receive, hold: Callable[[int], None]) -> bytes | None:
    """The whole body; None where its caller has gone. Raises Problem."""
    limit = LARGE_LIMITS.get((scope["method"], scope["path"]), BODY_LIMIT)
    too_large = Problem(413, f"the body is over {limit} bytes")
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > limit:
                    raise too_large
                hold(size)
                if not message.get("more_body"):
                    return b"".join(chunks)
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
