"""/openapi.json, generated from the types that routes read and return.

A route declares them with `contract`, beneath its path:

    @router.get("/v1/genres")
    @contract(Genres)
    async def get_genres(...) -> JsonResponse: ...

FastAPI knows paths and parameters; bodies, answers and problems are described by msgspec, which reads and writes them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from features.contracts.events import FIELDS_OF
from features.version import VERSION
from online.http.attribute_schemas import Described
from online.http.problems import TITLES, ProblemDetails
from online.support.api_paths import API

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
RoleOf = Callable[[str, str], str]
"""Gives the role that the key of a call must have, by method and path."""
JSON, PROBLEM = "application/json", "application/problem+json"
REFERENCE: Final = "#/components/schemas/{name}"
ATTRIBUTES: Final = "attributes"
"""The property in whose stead a component has the attributes of the home's items (`online.http.json_response`)."""
CONTEXT: Final = "context."
"""Begins the names of parameters that say the context of a request."""
KEYS: Final = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "admin_key": {"type": "apiKey", "in": "header", "name": "X-Admin-Key"},
}


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Types and statuses of one endpoint.

    answer      type of the body of a successful response
    status      of a successful response
    body        type of the request's JSON body; None: it has none
    problems    statuses of its problems, besides those that every route may return
    also        other statuses with the same body as a successful response
    media_type  of a successful response
    context     whether it takes the context of the request as parameters of the query
    """

    answer: Any
    status: int = 200
    body: Any = None
    problems: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    media_type: str = JSON
    context: bool = False


_CONTRACTS: Final[dict[Callable[..., Any], Contract]] = {}
"""Contracts by endpoint function."""


def contract(answer: Any, **more: Any) -> Callable[[Endpoint], Endpoint]:
    """Declare an endpoint's contract; the arguments are the fields of `Contract`."""

    def remember(endpoint: Endpoint) -> Endpoint:
        _CONTRACTS[endpoint] = Contract(answer=answer, **more)
        return endpoint

    return remember


def install(app: FastAPI, routers: Sequence[APIRouter], home: Described, role_of: RoleOf) -> None:
    """Make `app`, which includes these routers, generate /openapi.json from their routes' contracts. home: what its schema
    declares."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app, routers, home, role_of)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def describe(app: FastAPI, routers: Sequence[APIRouter], home: Described, role_of: RoleOf) -> dict[str, Any]:
    """The OpenAPI document. Raises KeyError for a route without a contract."""
    document = get_openapi(title=app.title, version=VERSION, description=app.description, routes=app.routes)
    routes = [
        route
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    ]
    contracts = [_CONTRACTS[route.endpoint] for route in routes]
    types = [ProblemDetails, *(kind for each in contracts for kind in (each.answer, each.body) if kind is not None)]
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    for each in components.values():
        _add_fields(each, {"users": home.users, "context": home.context})
        _add_attributes(each, home.items)
    schema_of = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    for route, each in zip(routes, contracts, strict=True):
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            if each.context:
                operation["parameters"] += [
                    {"name": f"{CONTEXT}{name}", "in": "query", "required": False, "schema": schema}
                    for name, schema in home.query.items()
                ]
            operation |= _described(route.path_format, each, schema_of, bool(operation.get("parameters")))
            if route.path_format.startswith(API):
                operation["security"] = _security(role_of(method, route.path_format))
    document["components"] = {"schemas": components, "securitySchemes": KEYS}
    return document


def _add_fields(component: dict[str, Any], fields: Mapping[str, Mapping[str, Any]]) -> None:
    """Describe the objects whose properties the home's schema names (FIELDS_OF); a property that need not be there is left out
    where it names none."""
    properties = component.get("properties", {})
    for name, each in list(properties.items()):
        table = each.pop(FIELDS_OF, None)
        if table is None:
            continue
        if fields[table] or name in component.get("required", []):
            each |= {"type": "object", "properties": fields[table], "additionalProperties": False}
        else:
            del properties[name]


def _add_attributes(component: dict[str, Any], attributes: Mapping[str, Any]) -> None:
    """Describe the attributes of items among a component's own properties, where the component has ATTRIBUTES."""
    properties = component.get("properties", {})
    if ATTRIBUTES in properties and "properties" not in properties[ATTRIBUTES]:
        del properties[ATTRIBUTES]
        properties |= attributes
        component["required"] = [name for name in component.get("required", []) if name != ATTRIBUTES]


def _described(path: str, contract: Contract, schema_of: Mapping[int, Any], parameters: bool) -> dict[str, Any]:
    """Responses and request body of one operation's entry."""
    good = {contract.media_type: {"schema": schema_of[id(contract.answer)]}}
    problem = {PROBLEM: {"schema": schema_of[id(ProblemDetails)]}}
    statuses = _problems(path, contract, parameters)
    found: dict[str, Any] = {
        "responses": {
            **{
                str(status): {"description": HTTPStatus(status).phrase, "content": good}
                for status in (contract.status, *contract.also)
            },
            **{str(status): {"description": TITLES[status], "content": problem} for status in statuses},
        }
    }
    if contract.body is not None:
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": schema_of[id(contract.body)]}}}
    return found


def _security(role: str) -> list[dict[str, list[str]]]:
    """The keys that an operation takes, each with the role that it must have at least; {} is none, where none are set."""
    return [{"key": [role]}, {"admin_key": [role]}] if role == "admin" else [{}, {"key": [role]}]


def _problems(path: str, contract: Contract, parameters: bool) -> list[int]:
    """Statuses of all problems that an operation may return."""
    statuses = {
        403,
        *contract.problems,
    }  # 403: a host, an origin or a role that may not call (`online.access`)
    if path.startswith(API):
        statuses |= {401, 429}
    if parameters or contract.body is not None:
        statuses.add(422)
    if contract.body is not None:
        statuses |= {408, 413}
    return sorted(statuses)
