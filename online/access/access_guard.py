"""Middleware for /v1: checks a call's key and its role, then the caller's rate limit, and answers CORS preflight requests."""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from online.access.access import Access, Caller
from online.access.api_keys import ADMIN_KEY, API_KEY, allows, role_of
from online.access.rate_limits import Limit, RateLimits, retry_after
from online.http.problems import Problem, problem_response
from online.support import metrics
from online.support.api_paths import API
from online.support.reloadable_file import ReloadableFile

PREFLIGHT_FOR: Final = "600"
_SPELLING: Final = {API_KEY: "X-API-Key", ADMIN_KEY: "X-Admin-Key"}


class AccessGuard:
    """Answers 401 for a call without a key, 403 for a wrong one or one whose role does not do, 404 for a call of an operator
    where no key is one's, and 429 beyond the caller's limit."""

    def __init__(self, app: ASGIApp, access: ReloadableFile[Access], limits: RateLimits) -> None:
        self._app, self._access, self._limits = app, access, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        access = self._access.value
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        allowed = _allowed_origin(access, headers.get("origin"))
        if allowed is not None:
            send = _with_headers(send, allowed)
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                await _send_no_content(send)
                return
        try:
            await self._limit(scope, access, caller_of(scope["method"], scope["path"], access, headers))
        except Problem as refused:
            metrics.REFUSED_CALLS.labels(str(refused.status)).inc()
            await problem_response(refused.status, refused.detail, refused.headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _limit(self, scope: Scope, access: Access, caller: Caller | None) -> None:
        """Raises a 429 Problem for a caller over its limit; None is one without a key."""
        limit = access.limit if caller is None else caller.limit
        if limit is None:
            return
        if caller is None:
            client = scope.get("client")
            wait = await self._limits.take_for_address(client[0] if client else "", limit)
        else:
            wait = await self._limits.take_for_key(caller.name, limit)
        if wait:
            raise Problem(429, _over(limit), {"Retry-After": retry_after(wait)})


def caller_of(method: str, path: str, access: Access, headers: Mapping[str, str]) -> Caller | None:
    """Whose key came with a call of the API; None where none is asked for. Raises a Problem where the call may not be made."""
    needed = role_of(method, path)
    if needed == "admin" and not access.has_admin:
        raise Problem(404, "there are no calls of an operator: access.json in the home has no key of the role admin")
    if needed != "admin" and not access.key_needed:
        return None
    header = ADMIN_KEY if needed == "admin" and (ADMIN_KEY in headers or API_KEY not in headers) else API_KEY
    key, name = headers.get(header), _SPELLING[header]
    another = {"WWW-Authenticate": name}  # a key that does for no call: the caller should get another
    if key is None:
        what = "a key of the role admin" if needed == "admin" else "a key"
        raise Problem(401, f"expected {what} in the header {name}, got none", another)
    caller = access.key_ring.find(key)
    if caller is None:
        raise Problem(403, f"the key in the header {name} is none of those that are set", another)
    if not allows(caller.role, needed):
        raise Problem(
            403,
            f"expected a key of the role {needed} for {method}, got {caller.name!r} of the role {caller.role}",
            another if header == ADMIN_KEY else None,
        )
    return caller


def _over(limit: Limit) -> str:
    return f"more than {limit.per_second:g} calls a second, or {limit.burst} at once"


def _allowed_origin(access: Access, origin: str | None) -> list[tuple[bytes, bytes]] | None:
    """CORS headers for an allowed origin; None for any other origin, and for none."""
    if origin is None or not ("*" in access.origins or origin in access.origins):
        return None
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
        (b"access-control-allow-headers", b"content-type, x-api-key"),
        (b"access-control-max-age", PREFLIGHT_FOR.encode()),
        (b"vary", b"origin"),
    ]


def _with_headers(send: Send, more: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return sending


async def _send_no_content(send: Send) -> None:
    """Answer 204 with no body: a preflight request needs only the headers."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
