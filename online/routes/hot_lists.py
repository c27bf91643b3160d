"""The two calls that matter, answered before FastAPI: GET /v1/recommendations in its plain form, and POST /v1/rank.

FastAPI's routing, dependencies and validation cost as much processor time as recall. What is plain is read by a pattern here and
goes to the same functions; anything unusual, the wrong among it, is left to FastAPI, so that there is one place that says what
a call may hold. Access, load and metrics are the middlewares' before.
"""

import re
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from features.ids import MAX_LENGTH
from online.http.json_response import JsonBytes
from online.http.problems import Problem, problem_response
from online.routes.recommendations import plain_list, rank_given
from online.server import Server

LIST, RANK = "/v1/recommendations", "/v1/rank"
_ROUTES: Final = {path: SimpleNamespace(path=path) for path in (LIST, RANK)}
_VALUES: Final = {
    b"user_id": re.compile(rb"[A-Za-z0-9_.~-]{1,%d}" % MAX_LENGTH),
    b"model": re.compile(rb"[A-Za-z0-9_.~-]{1,64}"),
    b"size": re.compile(rb"[1-9][0-9]?|100"),
    b"seen": re.compile(rb"[A-Za-z0-9_.~-]{1,4096}"),
}
"""What needs no decoding, and is within bounds, of each parameter."""


class PlainList(NamedTuple):
    """The parameters of a plain list."""

    user_id: str
    model: str | None
    size: int
    seen: str | None


def read_plain(query: bytes) -> PlainList | None:
    """The parameters of a query string; None for one that is not plain.

    >>> read_plain(b"user_id=6&size=10")
    PlainList(user_id='6', model=None, size=10, seen=None)
    >>> read_plain(b"user_id=6&genre=War"), read_plain(b"user_id=6&user_id=7"), read_plain(b"user_id=caf%C3%A9")
    (None, None, None)
    """
    given: dict[bytes, str] = {}
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        pattern = _VALUES.get(name)
        if pattern is None or name in given or pattern.fullmatch(value) is None:
            return None
        given[name] = value.decode()
    if b"user_id" not in given:
        return None
    return PlainList(given[b"user_id"], given.get(b"model"), int(given.get(b"size", "20")), given.get(b"seen"))


class HotLists:
    """Middleware, the innermost: what it does not answer goes to FastAPI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call: Any = None
        if scope["type"] == "http":
            if scope["path"] == LIST and scope["method"] == "GET":
                plain = read_plain(scope["query_string"])
                call = None if plain is None else plain_list(_server(scope), *plain)
            elif scope["path"] == RANK and scope["method"] == "POST":
                call = rank_given(_server(scope), (await receive())["body"])  # `BodyLimit` has put it together
        if call is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTES[scope["path"]]
        try:
            response: Any = JsonBytes(await call)
        except Problem as problem:
            response = problem_response(problem.status, problem.detail, problem.headers, **problem.more)
        await response(scope, receive, send)


def _server(scope: Scope) -> Server:
    server: Server = scope["app"].state.server
    return server
