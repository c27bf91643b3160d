"""Access control: API keys, allowed origins and rate limits, from one file, `access.json` in the home.

{"keys": {"shop": "…"}, "admin_key": "…", "origins": ["https://shop.example"], "hosts": ["films.example"],
 "image_hosts": ["img.example"], "limit": {"per_second": 50, "burst": 100}}

Without keys everyone may call /v1 but other sites' pages; without an admin key nobody may call /v1/admin. Pages, health and
metrics are open: they hold nothing of a person.
"""

import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from fastapi import Request
from msgspec import Meta
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.contracts.events import Name
from online.http.problems import Problem, problem_response
from online.support import metrics
from online.support.reloadable_file import ReloadableFile

API_KEY, ADMIN_KEY = "x-api-key", "x-admin-key"

# `$(?!\n)` is the end alone: Python's `$` is also before a newline there.
Key = Annotated[str, Meta(min_length=16, max_length=256, pattern=r"^[\x21-\x7e]+$(?!\n)")]
HostName = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9._-]*[A-Za-z0-9_-]|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$(?!\n)")
]
"""A name or an address, without port; an IPv6 address without brackets."""
ImageHost = Annotated[str, Meta(pattern=r"^([*][.])?[a-z0-9][a-z0-9._-]*(:[0-9]{1,5})?$(?!\n)", max_length=253)]
"""A host as a content security policy names it, without scheme: `img.example`, `*.img.example`, `127.0.0.1:9000`."""
MAX_IMAGE_HOSTS: Final = 20
CALLERS: Final = 10_000
"""Callers with a token bucket at once; beyond that the least recently active one is evicted."""
PREFLIGHT_FOR: Final = "600"


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rate limit of one caller: `per_second` on average, `burst` at once."""

    per_second: Annotated[float, Meta(gt=0)]
    burst: Annotated[int, Meta(ge=1)]


class Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    keys         name of a caller → the key it sends as X-API-Key; none: no key is asked for
    admin_key    what /v1/admin asks for as X-Admin-Key; None: nobody may
    origins      sites whose pages may call from a browser (CORS); "*" is any
    hosts        names under which the API is called beside this machine's own, without port, as behind a proxy; they count where
                 no keys are set (see `online.http.origin_guard`)
    image_hosts  from where the pages may load images of items; none: they draw them
    limit        of each caller: of a key where there are keys, else of an address; None is no limit
    """

    keys: dict[Name, Key] = {}
    admin_key: Key | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[HostName, ...] = ()
    image_hosts: Annotated[tuple[ImageHost, ...], Meta(max_length=MAX_IMAGE_HOSTS)] = ()
    limit: Limit | None = None

    @property
    def host_names(self) -> tuple[str, ...]:
        """`hosts` in lower case, as headers are compared."""
        return tuple(name.lower() for name in self.hosts)


OPEN: Final = Access()
read_access = msgspec.json.Decoder(Access).decode


class Buckets:
    """One token bucket per caller (J. Turner, New Directions in Communications, 1986)."""

    def __init__(self, size: int = CALLERS) -> None:
        self._size = size
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, limit: Limit, now: float) -> float:
        """Take a token: 0 if the call may proceed, else the seconds until the next one may."""
        tokens, then = self._left.pop(caller, (float(limit.burst), now))
        tokens = min(float(limit.burst), tokens + (now - then) * limit.per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / limit.per_second
        self._left[caller] = (tokens - 1 if not wait else tokens, now)
        if len(self._left) > self._size:
            self._left.popitem(last=False)
        return wait


def caller_of(key: str, keys: Mapping[str, str]) -> str | None:
    """The name that a key belongs to, or None. Takes constant time whatever the key is."""
    found = None
    for name, each in keys.items():
        if hmac.compare_digest(each.encode(), key.encode()):
            found = name
    return found


class AccessGuard:
    """Middleware for /v1: checks the key, then the rate limit, and answers CORS preflight requests."""

    def __init__(self, app: ASGIApp, access: ReloadableFile[Access]) -> None:
        self._app, self._access, self._buckets = app, access, Buckets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = self._access.value
        if scope["type"] != "http" or not scope["path"].startswith("/v1/") or access is OPEN:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        allowed = _allowed_origin(access, headers.get("origin"))
        if allowed is not None:
            send = _with_headers(send, allowed)
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                await _send_no_content(send)
                return
        refused = self._refused(scope, access, headers)
        if refused is None:
            await self._app(scope, receive, send)
        else:
            metrics.REFUSED_CALLS.labels(str(refused.status)).inc()
            await problem_response(refused.status, str(refused), refused.headers)(scope, receive, send)

    def _refused(self, scope: Scope, access: Access, headers: Mapping[str, str]) -> Problem | None:
        client = scope.get("client")
        caller = f"address {client[0] if client else ''}"
        if access.keys and not scope["path"].startswith("/v1/admin/"):  # which has a key of its own
            key = headers.get(API_KEY)
            if key is None:
                return Problem(
                    401, "expected a key in the header X-API-Key, got none", {"WWW-Authenticate": "X-API-Key"}
                )
            name = caller_of(key, access.keys)
            if name is None:
                return Problem(403, "the key in the header X-API-Key is none of those that are set")
            caller = f"key {name}"
        wait = 0.0 if access.limit is None else self._buckets.take(caller, access.limit, time.monotonic())
        if wait:
            assert access.limit is not None
            text = f"more than {access.limit.per_second:g} calls a second, or {access.limit.burst} at once"
            return Problem(429, text, {"Retry-After": str(math.ceil(wait))})
        return None


async def require_admin(request: Request) -> None:
    """A FastAPI dependency for routes that only an operator may call. Raises a Problem without the right X-Admin-Key:
    401, 403, or 404 where none is set."""
    wanted = request.app.state.server.access.value.admin_key
    given = request.headers.get(ADMIN_KEY)
    if wanted is None:
        raise Problem(404, "there are no calls of an operator: access.json in the home sets no admin_key")
    if given is None:
        raise Problem(401, "expected a key in the header X-Admin-Key, got none", {"WWW-Authenticate": "X-Admin-Key"})
    if not hmac.compare_digest(wanted.encode(), given.encode()):
        raise Problem(403, "the key in the header X-Admin-Key is not the one that is set")


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
