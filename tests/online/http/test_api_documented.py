"""docs/api.md shows every route with its parameters and statuses, and its examples are as /openapi.json says.

A block of code says behind its language what it is: `json body`, `json answer 200`, `json problem`, `json event`, `text stream`.
"""

import json
import re
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from jsonschema_rs import ValidationError, validator_for

from features.contracts.events import read_wire, to_event
from features.types import KINDS
from infra.system.repository import REPO
from online.routes.stream import Move
from tests.online.in_process import api
from tests.schemas import MOVIES, peopled

PAGE = (REPO / "docs" / "api.md").read_text(encoding="utf-8")
COMMON, SECTIONS = PAGE.split("\n## POST /v1/events", 1)
SECTIONS = "\n## POST /v1/events" + SECTIONS
FOR_ALL = {"200", "202", "401", "403", "408", "413", "422", "429"}
"""Statuses that the section about all routes explains."""


def sections() -> dict[tuple[str, str], str]:
    """(method, path) → the section under that heading."""
    found = re.findall(r"^## (GET|POST|PUT|PATCH|DELETE) (\S+)\n(.*?)(?=^## |\Z)", SECTIONS, re.MULTILINE | re.DOTALL)
    return {(method, path): text for method, path, text in found}


def blocks(text: str, language: str) -> list[tuple[str, str]]:
    """(what it is, content) of each block of code in a language."""
    return re.findall(rf"^```{language} ([^\n]+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


ROUTES = sections()
EXAMPLES = [
    (method, path, what, content)
    for (method, path), text in ROUTES.items()
    for what, content in blocks(text, "json")
    if what != "event"
]
EVENTS = [json.loads(content) for what, content in blocks(PAGE, "json") if what == "event"]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """/openapi.json of films whose users have attributes, with no object allowed to have a key that it does not name."""
    document = deepcopy(api(tmp_path_factory.mktemp("api"), peopled("movies")).openapi())
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return document


def check(document: dict[str, Any], schema: dict[str, Any], content: str) -> None:
    """Raises ValidationError."""
    validator_for({**schema, "components": document["components"]}).validate(json.loads(content))


def schema_of(operation: dict[str, Any], what: str) -> dict[str, Any]:
    """What a block of this kind is to be, for an operation."""
    if what == "body":
        found: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    elif what == "problem":
        found = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]
    else:
        found = operation["responses"][what.removeprefix("answer ")]["content"]["application/json"]["schema"]
    return found


def test_every_route_has_a_section_with_its_parameters_and_statuses(document: dict[str, Any]) -> None:
    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(ROUTES) == set(operations)
    for key, operation in operations.items():
        parameters = {each["name"] for each in operation.get("parameters", [])}
        parameters = {"context.NAME" if name.startswith("context.") else name for name in parameters}
        assert {name for name in parameters if f"`{name}`" not in ROUTES[key]} == set(), key
        unsaid = {status for status in set(operation["responses"]) - FOR_ALL if status not in ROUTES[key]}
        assert unsaid == set(), key


def test_every_json_route_has_an_example_of_its_answer_and_its_body(document: dict[str, Any]) -> None:
    shown = {(method, path, what.split()[0]) for method, path, what, _ in EXAMPLES}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            good = next(iter(operation["responses"].values()))["content"]
            if "application/json" in good:
                assert (method.upper(), path, "answer") in shown
            if "requestBody" in operation:
                assert (method.upper(), path, "body") in shown


@pytest.mark.parametrize(("method", "path", "what", "content"), EXAMPLES)
def test_an_example_is_as_the_document_says(
    document: dict[str, Any], method: str, path: str, what: str, content: str
) -> None:
    check(document, schema_of(document["paths"][path][method.lower()], what), content)


def test_the_example_for_all_routes_is_a_problem(document: dict[str, Any]) -> None:
    ((what, content),) = blocks(COMMON, "json")
    assert what == "problem GET /v1/items"
    check(document, {"$ref": "#/components/schemas/ProblemDetails"}, content)


def test_a_key_that_is_not_described_is_found(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check(document, {"$ref": "#/components/schemas/Alive"}, '{"status": "alive", "version": "1", "age": 3}')


def test_a_stream_tells_lists_and_moves(document: dict[str, Any]) -> None:
    told = [re.findall(r"^(event|data): (.*)$", content, re.MULTILINE) for _, content in blocks(PAGE, "text")]
    first, second = (dict(each)["data"] for each in told)
    assert [dict(each)["event"] for each in told] == ["list", "move"]
    check(document, {"$ref": "#/components/schemas/ListAnswer"}, first)
    assert json.loads(first)["items"]
    assert msgspec.json.decode(second, type=Move).n


def test_there_is_an_event_of_each_kind_and_all_are_events() -> None:
    assert [event["type"] for event in EVENTS] == list(KINDS)
    for event in EVENTS:
        assert to_event(read_wire(json.dumps(event).encode()), MOVIES).event_id == event["event_id"]
        assert set(event) <= set(read_wire(json.dumps(event).encode()).__struct_fields__)
