"""Limits on a request body before anything is parsed: its size, and the time it may take to arrive."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from online.http.problems import problem_response

BODY_LIMIT = 2 << 20
LARGE_LIMITS = {("POST", "/v1/items"): 16 << 20}
"""Limits of routes that take more: 10,000 items of 1.6 kB each."""
BODY_TIMEOUT = 10.0


class BodyLimit:
    """Answers 413 for a body over the route's limit and 408 for one slower than BODY_TIMEOUT; passes the whole body on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        limit = LARGE_LIMITS.get((scope["method"], scope["path"]), BODY_LIMIT)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > limit:
            await self._refuse(413, limit, scope, receive, send)
            return
        chunks, size = [], 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > limit:
                        await self._refuse(413, limit, scope, receive, send)
                        return
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            await self._refuse(408, limit, scope, receive, send)
            return
        whole: Message = {"type": "http.request", "body": b"".join(chunks), "more_body": False}
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return whole

        await self._app(scope, replay, send)

    async def _refuse(self, status: int, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        detail = (
            f"the body is over {limit} bytes"
            if status == 413
            else f"the body did not arrive within {BODY_TIMEOUT:.0f} s"
        )
        await problem_response(status, detail, {"Connection": "close"})(scope, receive, send)
