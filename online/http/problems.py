"""Errors as RFC 9457 problem details: `type`, `title`, `status`, `detail`, and fields a caller can act on."""

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from msgspec import UNSET, UnsetType
from starlette.exceptions import HTTPException

from features.errors import BadInput

TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Request too slow",
    409: "Conflict",
    413: "Body too large",
    422: "Invalid input",
    429: "Too many requests",
    500: "Internal error",
    503: "Temporarily unavailable",
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a request; `index`: of which event."""

    field: str
    received: str
    index: int | UnsetType = UNSET
    expected: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """An error (RFC 9457). `models`: those that are ready, where one is not there; `event_ids`: to send again with."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] | UnsetType = UNSET
    models: list[str] | UnsetType = UNSET
    event_ids: list[str] | UnsetType = UNSET


class Problem(Exception):
    """An error response: raised anywhere in a request, it becomes the response."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.more = more


@contextlib.contextmanager
def field_faults(where: str | None = None) -> Iterator[None]:
    """Turns a BadInput into a 422 Problem that names the field, or `where`."""
    try:
        yield
    except BadInput as error:
        found = BadInput(where or error.where, error.expected, error.received[:200])
        fault = {"field": found.where, "expected": found.expected, "received": found.received}
        raise Problem(422, str(found), errors=[fault]) from error


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


NO_HTTP = (
    "application/problem+json",
    '{"type": "about:blank", "title": "Bad request", "status": 400, "detail": "this is no valid HTTP request: expected a URL in '
    'ASCII, with other characters of ids percent-encoded (/v1/items/caf%C3%A9)"}',
)
"""Content type and body of the response to what can't be parsed."""


def bug_response() -> JSONResponse:
    """The response to a request that met a bug of ours."""
    return problem_response(500, "something went wrong here; the server's log says what")


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def install(app: FastAPI) -> None:
    """Make `app` answer every error with problem details, but for bugs, which are left to `online.http.instrumentation`."""

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return problem_response(error.status, error.detail, error.headers, **error.more)

    async def on_validation(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        errors = [
            {"field": _where(each["loc"]), "message": each["msg"], "received": repr(each.get("input"))[:100]}
            for each in error.errors()
        ]
        detail = "; ".join(f"{each['field']}: {each['message']}, got {each['received']}" for each in errors)
        return problem_response(422, detail, errors=errors)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return problem_response(error.status_code, str(error.detail), dict(error.headers or {}))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
