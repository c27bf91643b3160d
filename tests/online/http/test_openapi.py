"""The API conforms to /openapi.json: requests generated from the document are sent to the application in this process, and
every response has a documented status, content type and body."""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import CheckFunction, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import Receive, Scope, Send

from online.access.api_keys import hashed
from tests.online.in_process import api
from tests.schemas import peopled

EXAMPLES = 20
"""Requests drawn for each operation."""
ADMIN = {"X-Admin-Key": "a" * 24}
ADDRESS = "http://127.0.0.1:8000"
CHECKS: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
UNHEALTHY = [HealthCheck.too_slow, HealthCheck.filter_too_much]
OPERATIONS = [
    ("DELETE", "/v1/items/{item_id}"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
    ("GET", "/v1/facets/{name}"),
    ("GET", "/v1/genres"),
    ("GET", "/v1/items"),
    ("GET", "/v1/items/{item_id}"),
    ("GET", "/v1/items/{item_id}/similar"),
    ("GET", "/v1/models"),
    ("GET", "/v1/ops"),
    ("GET", "/v1/recommendations"),
    ("GET", "/v1/schema"),
    ("GET", "/v1/users/{user_id}"),
    ("PATCH", "/v1/items/{item_id}"),
    ("POST", "/v1/admin/replay"),
    ("POST", "/v1/events"),
    ("POST", "/v1/items"),
    ("POST", "/v1/rank"),
    ("POST", "/v1/recommendations"),
    ("PUT", "/v1/items/{item_id}"),
    ("PUT", "/v1/users/{user_id}"),
]
WITHOUT_INPUT = [
    ("GET", path) for path in ("/healthz", "/metrics", "/readyz", "/v1/genres", "/v1/models", "/v1/ops", "/v1/schema")
]
ANY_INPUT = [("DELETE", "/v1/items/{item_id}"), ("GET", "/v1/users/{user_id}")]
"""Nearly every string is an id: none can be drawn that is described as wrong."""
ANSWERED_BY_LINE = ("POST", "/v1/items")
"""A bad item is no bad call: each line is answered for."""
EVENT = {"type": "click", "user_id": 7, "item_id": 2}
GOOD: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v1/facets/{name}", {"path_parameters": {"name": "genres"}}),
    ("GET", "/v1/items", {"query": {"genre": "War", "sort": "rating", "limit": 3}}),
    ("GET", "/v1/items", {"query": {"facet": "genres:War", "fields": "year", "unlisted": "1"}}),
    ("GET", "/v1/items/{item_id}", {"path_parameters": {"item_id": 3}}),
    ("GET", "/v1/items/{item_id}/similar", {"path_parameters": {"item_id": 1}}),
    ("GET", "/v1/recommendations", {"query": {"user_id": 7}}),
    ("GET", "/v1/recommendations", {"query": {"user_id": 7, "explain": "1", "exclude": "2,4"}}),
    ("GET", "/v1/recommendations", {"query": {"user_id": 7, "range": "year:1990..", "context.device": "phone"}}),
    ("GET", "/v1/users/{user_id}", {"path_parameters": {"user_id": 7}}),
    ("PATCH", "/v1/items/{item_id}", {"path_parameters": {"item_id": 11}, "body": {"year": None, "available": False}}),
    ("DELETE", "/v1/items/{item_id}", {"path_parameters": {"item_id": 13}}),
    ("POST", "/v1/items", {"body": [{"item_id": 501, "title": "New"}, {"item_id": 501, "title": ""}, 3]}),
    ("POST", "/v1/admin/replay", {"body": {"speed": "max"}}),
    ("POST", "/v1/events", {"body": EVENT}),
    ("POST", "/v1/events", {"body": [EVENT, EVENT]}),
    ("POST", "/v1/rank", {"body": {"user_id": 7, "item_ids": [1, 2, 777], "explain": True}}),
    ("POST", "/v1/recommendations", {"body": {"user_ids": [7, 8], "size": 3}}),
    ("PUT", "/v1/items/{item_id}", {"path_parameters": {"item_id": 500}, "body": {"title": "New", "genres": ["War"]}}),
    ("PUT", "/v1/users/{user_id}", {"path_parameters": {"user_id": 7}, "body": {"attributes": {"plan": "paid"}}}),
    ("POST", "/v1/events", {"body": {"type": "profile", "user_id": 7, "attributes": {"interests": ["tea"]}}}),
    ("POST", "/v1/events", {"body": {**EVENT, "context": {"hour": 12}}}),
    (
        "POST",
        "/v1/recommendations",
        {"body": {"user_ids": [7], "context": {"device": "phone"}, "range": ["year:..2000"]}},
    ),
]
ROLES = ("none", "read", "write", "admin")
WRITES = {
    ("DELETE", "/v1/items/{item_id}"),
    ("PATCH", "/v1/items/{item_id}"),
    ("POST", "/v1/events"),
    ("POST", "/v1/items"),
    ("PUT", "/v1/items/{item_id}"),
    ("PUT", "/v1/users/{user_id}"),
}
OPERATORS = {("POST", "/v1/admin/replay")}
OPEN_TO_ALL = {("GET", "/healthz"), ("GET", "/metrics"), ("GET", "/readyz")}
ROLE_EXAMPLES = 3
"""Requests drawn for each operation and role."""
ENDLESS = ("GET", "/v1/stream")
"""Described, but its answer has no end."""


class Unstarted:
    """An application that is called without having been started: nothing is connected."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("api")
    (folder / "access.json").write_text(json.dumps({"admin_key": ADMIN["X-Admin-Key"]}))
    app = Unstarted(api(folder, peopled("movies"), access=str(folder / "access.json")))
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "127.0.0.1"})


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same API with a key of each role."""
    folder: Path = tmp_path_factory.mktemp("keyed")
    keys = {role: {"key": hashed(key_of(role)), "role": role} for role in ROLES[1:]}
    (folder / "access.json").write_text(json.dumps({"keys": keys}))
    app = Unstarted(api(folder, peopled("movies"), access=str(folder / "access.json")))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def key_of(role: str) -> str:
    return f"{role}-key-{'0' * 16}"


def needed(operation: tuple[str, str]) -> str:
    """The least role that may call an operation."""
    if operation in OPEN_TO_ALL:
        return "none"
    return "admin" if operation in OPERATORS else "write" if operation in WRITES else "read"


@pytest.mark.parametrize("role", [*ROLES, "wrong"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_is_answered_to_its_roles_alone(keyed: Any, method: str, path: str, role: str) -> None:
    operation = keyed[path][method]
    may_call = ROLES.index(role if role in ROLES else "none") >= ROLES.index(needed((method, path)))
    headers = {} if role == "none" else {"X-API-Key": key_of(role)}

    @settings(
        max_examples=ROLE_EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=UNHEALTHY
    )
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def answers(case: Any) -> None:
        case.headers = {}  # schemathesis draws keys, too
        answer = case.call_and_validate(base_url=ADDRESS, headers=headers, checks=CHECKS)
        assert (answer.status_code not in (401, 403)) == may_call, answer.text
        if role == "none" and not may_call:
            assert answer.status_code == 401

    answers()


def test_the_document_says_which_role_each_operation_asks_for(described: Any) -> None:
    for path, methods in described.raw_schema["paths"].items():
        for method, operation in methods.items():
            role = needed((method.upper(), path))
            keys = [{"key": [role]}, {"admin_key": [role]}] if role == "admin" else [{}, {"key": [role]}]
            assert operation.get("security") == (None if role == "none" else keys), path


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_is_asked_for_rightly_is_answered_as_described(described: Any, method: str, path: str) -> None:
    answer_as_described(described[path][method], GenerationMode.POSITIVE, CHECKS)


@pytest.mark.parametrize(
    ("method", "path"), [each for each in OPERATIONS if each not in (*WITHOUT_INPUT, *ANY_INPUT, ANSWERED_BY_LINE)]
)
def test_what_is_asked_for_wrongly_is_refused_as_described(described: Any, method: str, path: str) -> None:
    answer_as_described(described[path][method], GenerationMode.NEGATIVE, [*CHECKS, negative_data_rejection])


def answer_as_described(operation: Any, mode: GenerationMode, checks: list[CheckFunction]) -> None:
    """Send requests that the document allows, or that it does not."""

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=UNHEALTHY)
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: Any) -> None:
        case.call_and_validate(base_url=ADDRESS, headers=ADMIN, checks=checks)

    answers()


@pytest.mark.parametrize(("method", "path", "more"), GOOD)
def test_a_good_answer_is_as_described(described: Any, method: str, path: str, more: dict[str, Any]) -> None:
    case = described[path][method].Case(**more)
    answer = case.call_and_validate(base_url=ADDRESS, headers=ADMIN, checks=CHECKS)
    assert answer.status_code in (200, 202)


def test_every_operation_says_what_it_answers_and_what_goes_wrong(described: Any) -> None:
    document = described.raw_schema
    assert "HTTPValidationError" not in str(document)
    operations, bodies = set(), set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            operations.add((method.upper(), path))
            if "requestBody" in operation:
                bodies.add((method.upper(), path))
                assert operation["requestBody"]["content"]["application/json"]["schema"]
            for status, answer in operation["responses"].items():
                (media_type,) = answer["content"]
                assert answer["content"][media_type]["schema"], (path, status)
                if status.startswith("4"):
                    assert media_type == "application/problem+json", (path, status)
            if path.startswith("/v1/"):
                assert {"401", "403", "429"} <= set(operation["responses"]), path
    assert operations == {*OPERATIONS, ENDLESS}
    assert bodies == {each for each in OPERATIONS if each[0] not in ("GET", "DELETE")}
