"""Items of the catalogue, written: PUT, PATCH and DELETE /v1/items/{id}, and many at once by POST /v1/items."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends
from msgspec import UNSET, Meta, UnsetType

from features.contracts.events import Id, Whole
from features.contracts.items import (
    ITEM_LIMIT,
    ImageUrl,
    ItemFields,
    Title,
    change_item,
    compile_item,
    id_of,
    read_object,
    write_item,
)
from features.errors import BadInput, Unavailable
from features.ids import OuterId
from features.schema.tables import Schema
from features.types import Item, Millis
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.http.problems import Problem
from online.routes.parameters import IdPath, read_path_id
from online.server import Server, body_of, server_of
from online.support.reloadable_file import UNREADABLE

router = APIRouter()

MAX_LINES: Final = 10_000
"""Items of one call."""

# The bodies are described by the three types below, where `attributes` stands for those of the schema; they are read by
# `features.contracts.items`, which checks these.


class ItemBody(ItemFields, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an item is: what every item has, and the attributes of the home's schema."""

    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class ItemPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changes of an item; null takes an attribute away."""

    title: Title | UnsetType = UNSET
    image_url: ImageUrl | UnsetType | None = UNSET
    available: bool | UnsetType | None = UNSET
    expires: Whole | UnsetType | None = UNSET
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class ItemLine(ItemFields, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of many items: its id, and what it is."""

    item_id: Id
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class ItemTaken(msgspec.Struct, frozen=True, kw_only=True):
    """created: it is new; unknown_genres: values of the first facet that no item had before."""

    item_id: OuterId
    created: bool
    unknown_genres: list[str]


class ItemDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The item is no item any more."""

    item_id: OuterId
    deleted: bool


class LineFault(msgspec.Struct, frozen=True):
    """What is wrong with a line."""

    field: str
    expected: str
    received: str


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a line, from 1: the item's id, or the error by which nothing of it was written."""

    line: int
    item_id: OuterId | UnsetType = UNSET
    error: LineFault | UnsetType = UNSET


class ItemsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """accepted, rejected: numbers of lines; lines: each line that was not empty, in order."""

    accepted: int
    rejected: int
    lines: list[LineAnswer]


@router.put("/v1/items/{item_id}")
@contract(ItemTaken, body=ItemBody, problems=(503,))
async def put_item(
    server: Annotated[Server, Depends(server_of)], item_id: IdPath, body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """A new item, or all of a changed one: {"title": ..., "image_url": ..., "available": ..., "expires": ...} and attributes of
    the schema; all but the title may be left out. It is shown, recalled as new, and kept in the topic `items` from now on.
    Values of the first facet that no item had before are named in `unknown_genres`."""
    number, outer = read_path_id(server, "item_id", item_id)
    created = server.items.row(number) is None
    now, attributes = server.clock.now(), server.items.attributes
    item = _read(body, lambda fields: compile_item(number, fields, now, attributes, outer))
    unknown = _unknown(server, item)
    await _publish(server, [item])
    return JsonResponse(_taken(server, item, created, unknown))


@router.patch("/v1/items/{item_id}")
@contract(ItemTaken, body=ItemPatch, problems=(404, 503))
async def patch_item(
    server: Annotated[Server, Depends(server_of)], item_id: IdPath, body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """Change what is given of an item; what is null is taken away, and what is left out stays."""
    async with server.item_topic.changing:
        known = _known(server, item_id)
        item = _read(body, lambda fields: change_item(known, fields, server.clock.now(), server.items.attributes))
        unknown = _unknown(server, item)
        await _publish(server, [item])
    return JsonResponse(_taken(server, item, False, unknown))


@router.delete("/v1/items/{item_id}")
@contract(ItemDeleted, problems=(404, 503))
async def delete_item(server: Annotated[Server, Depends(server_of)], item_id: IdPath) -> JsonResponse:
    """Take an item out of the catalogue, and out of every list, for good. Its title stays in the histories of users; a PUT makes
    an item of that id again."""
    async with server.item_topic.changing:
        known = _known(server, item_id)
        await _publish(server, [msgspec.structs.replace(known, deleted=True, ts=server.clock.now())])
    return JsonResponse(ItemDeleted(item_id=server.items.shown(known.item_id), deleted=True))


@router.post("/v1/items")
@contract(ItemsTaken, body=Annotated[list[ItemLine], Meta(max_length=MAX_LINES)], problems=(503,))
async def post_items(
    server: Annotated[Server, Depends(server_of)], body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """Up to 10,000 items, each whole: one JSON object a line (NDJSON), or an array of them. Each line is answered for: by its
    item's id, or by an error that names line and field. Nothing of a bad line is written; good lines are. A call that can't be
    read as lines is refused whole. Of an id that comes twice the later line counts."""
    now = server.clock.now()
    answers, items = await asyncio.to_thread(_compile_lines, _lines(body), now, server.schema)
    await _publish(server, items)
    return JsonResponse(ItemsTaken(accepted=len(items), rejected=len(answers) - len(items), lines=answers))


def _compile_lines(
    lines: Sequence[tuple[int, bytes]], now: Millis, schema: Schema
) -> tuple[list[LineAnswer], list[Item]]:
    """What became of each line, and the items of the good ones."""
    answers: list[LineAnswer] = []
    items: list[Item] = []
    for number, line in lines:
        try:
            fields = read_object(line)
            item_id, outer = id_of(fields, schema.ids)
            item = compile_item(item_id, fields, now, schema.items, outer)
            write_item(item, schema.items)
        except BadInput as error:
            answers.append(LineAnswer(line=number, error=LineFault(error.where, error.expected, error.received)))
        else:
            items.append(item)
            answers.append(LineAnswer(line=number, item_id=schema.ids.shown(outer or item_id)))
    return answers, items


def _read(body: bytes, make: Callable[[dict[str, Any]], Item]) -> Item:
    """The item that a body says. Raises Problem: 413 for more than ITEM_LIMIT bytes, 422 for what is no item."""
    if len(body) > ITEM_LIMIT:
        raise Problem(413, f"expected an item of at most {ITEM_LIMIT} bytes, got {len(body)} bytes")
    try:
        return make(read_object(body))
    except BadInput as error:
        fault = {"field": error.where, "expected": error.expected, "received": error.received}
        raise Problem(422, str(error), errors=[fault]) from error


def _lines(body: bytes) -> list[tuple[int, bytes]]:
    """(number, JSON) of each line that is not empty, or of each element of an array. Raises a 422 Problem."""
    if body.lstrip()[:1] == b"[":
        try:
            lines = list(enumerate(map(bytes, msgspec.json.decode(body, type=list[msgspec.Raw])), start=1))
        except UNREADABLE as error:
            raise Problem(422, f"expected a JSON array of items, or one item a line: {error}") from error
    else:
        lines = [(number, line) for number, line in enumerate(body.splitlines(), start=1) if line.strip()]
    if not 0 < len(lines) <= MAX_LINES:
        raise Problem(422, f"expected 1 to {MAX_LINES} lines, each an item, got {len(lines)}")
    return lines


def _known(server: Server, text: str) -> Item:
    """The item in the catalogue with an id in a path. Raises a 404 Problem, 422 for what is no id."""
    number, outer = read_path_id(server, "item_id", text)
    item = server.items.catalogue.get(number)
    if item is None or item.deleted:
        raise Problem(404, f"no item {outer or number}")
    return item


async def _publish(server: Server, items: Sequence[Item]) -> None:
    try:
        await server.item_topic.publish_items(items)
    except BadInput as error:
        raise Problem(413, str(error)) from error
    except Unavailable as error:
        raise Problem(503, str(error), {"Retry-After": "1"}) from error


def _taken(server: Server, item: Item, created: bool, unknown: list[str]) -> ItemTaken:
    return ItemTaken(item_id=server.items.shown(item.item_id), created=created, unknown_genres=unknown)


def _unknown(server: Server, item: Item) -> list[str]:
    """The item's values of the first facet that no item has yet."""
    first = server.items.attributes.labels
    if first is None:
        return []
    facet = server.items.facets.by_name[first]
    return [value for value in item.facets.get(first, ()) if not len(facet.rows(value))]
