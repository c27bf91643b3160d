"""Items of the catalogue, written: PUT, PATCH and DELETE /v1/items/{id}, and many at once by POST /v1/items."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
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
    read_object,
    write_item,
)
from features.errors import BadInput, Unavailable
from features.ids import OuterId
from features.schema.attribute_values import received
from features.types import Item
from online.http.item_lines import MAX_LINES, LineFault, Made, fault_of, read_items
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.http.problems import Problem, field_faults
from online.routes.parameters import IdPath, no_item, read_path_id
from online.server import Server, body_of, server_of
from online.stores.item_topic import Change

router = APIRouter()

YIELD_EVERY: Final = 256
"""Items of a call that are put before control returns to the event loop."""

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
    """created: it is new; unknown_genres: labels that no item had before."""

    item_id: OuterId
    created: bool
    unknown_genres: list[str]


class ItemDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The item is no item any more."""

    item_id: OuterId
    deleted: bool


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
@contract(ItemTaken, body=ItemBody, problems=(409, 503))
async def put_item(
    server: Annotated[Server, Depends(server_of)], item_id: IdPath, body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """A new item, or all of a changed one: {"title": ..., "image_url": ..., "available": ..., "expires": ...} and attributes of
    the schema; all but the title may be left out. It is shown, recalled as new, and kept in the topic `items` from now on.
    Labels that no item had before are named in `unknown_genres`."""
    number, outer = read_path_id(server, "item_id", item_id)
    fields, attributes = _read(body), server.items.attributes
    async with _changing(server) as change:
        known = change.latest(number, outer)
        created = server.items.row(number) is None if known is None else known.deleted
        with field_faults():
            item = compile_item(number, fields, server.clock.now(), attributes, outer)
        unknown = _unknown(server, item)
        change.put(item, write_item(item, attributes))
    return JsonResponse(_taken(server, item, created, unknown))


@router.patch("/v1/items/{item_id}")
@contract(ItemTaken, body=ItemPatch, problems=(404, 409, 503))
async def patch_item(
    server: Annotated[Server, Depends(server_of)], item_id: IdPath, body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """Change what is given of an item; what is null is taken away, and what is left out stays."""
    number, outer = read_path_id(server, "item_id", item_id)
    fields, attributes = _read(body), server.items.attributes
    async with _changing(server) as change:
        known = change.latest(number, outer)
        if known is None or known.deleted:
            raise no_item(number, outer)
        with field_faults():
            item = change_item(known, fields, server.clock.now(), attributes)
        unknown = _unknown(server, item)
        change.put(item, write_item(item, attributes))
    return JsonResponse(_taken(server, item, False, unknown))


@router.delete("/v1/items/{item_id}")
@contract(ItemDeleted, problems=(404, 409, 503))
async def delete_item(server: Annotated[Server, Depends(server_of)], item_id: IdPath) -> JsonResponse:
    """Take an item out of the catalogue, and out of every list, for good; also one that only events told. Its title stays in the
    histories of users; a PUT makes an item of that id again."""
    number, outer = read_path_id(server, "item_id", item_id)
    async with _changing(server) as change:
        known = change.latest(number, outer)
        if known is None and server.items.row(number) is not None:
            known = Item(number, server.items.title_of(number), outer=outer)
        if known is None or known.deleted:
            raise no_item(number, outer)
        withdrawn = msgspec.structs.replace(known, deleted=True, ts=server.clock.now())
        change.put(withdrawn, write_item(withdrawn, server.items.attributes))
    return JsonResponse(ItemDeleted(item_id=server.items.shown(number), deleted=True))


@router.post("/v1/items")
@contract(ItemsTaken, body=Annotated[list[ItemLine], Meta(max_length=MAX_LINES)], problems=(503,))
async def post_items(
    server: Annotated[Server, Depends(server_of)], body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """Up to 10,000 items, each whole: one JSON object a line (NDJSON), or an array of them. Each line is answered for: by its
    item's id, or by an error that names line and field. Nothing of a bad line is written; good lines are. A call that can't be
    read as lines is refused whole. Of an id that comes twice the later line counts."""
    made = await asyncio.to_thread(read_items, body, server.clock.now(), server.schema)
    if any(not isinstance(each, LineFault) for _, each in made):
        async with _changing(server, len(made)) as change:
            for index, (number, each) in enumerate(made):
                if not isinstance(each, LineFault):
                    made[index] = number, _put(change, *each)
                if index % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
    ids = server.schema.ids
    answers = [
        LineAnswer(line=number, error=each)
        if isinstance(each, LineFault)
        else LineAnswer(line=number, item_id=ids.shown(each[0].outer or each[0].item_id))
        for number, each in made
    ]
    good = sum(answer.error is UNSET for answer in answers)
    return JsonResponse(ItemsTaken(accepted=good, rejected=len(answers) - good, lines=answers))


def _put(change: Change, item: Item, record: bytes) -> Made:
    """Have the item of a line written, unless it clashes."""
    try:
        change.latest(item.item_id, item.outer)
        change.put(item, record)
    except BadInput as error:
        return fault_of(error)
    return item, record


def _read(body: bytes) -> dict[str, Any]:
    """The fields that a body says. Raises Problem: 413 for more than ITEM_LIMIT bytes, 422 for what is no item, and for one with
    an id, as only the path says whose fields they are."""
    if len(body) > ITEM_LIMIT:
        raise Problem(413, f"expected an item of at most {ITEM_LIMIT} bytes, got {len(body)} bytes")
    with field_faults():
        fields = read_object(body)
        if (given := fields.get("item_id")) is not None:
            raise BadInput("item_id", "no id, as the path names the item", received(given))
    return fields


@contextlib.asynccontextmanager
async def _changing(server: Server, count: int = 1) -> AsyncIterator[Change]:
    """As `ItemTopic.changing`. Raises Problem: 413 for an item that became too large, 409 for an id that clashes with another,
    503 where the items can't be written."""
    try:
        async with server.item_topic.changing(count) as change:
            yield change
    except BadInput as error:
        raise Problem(409 if error.where == "item_id" else 413, str(error)) from error
    except Unavailable as error:
        raise Problem(503, str(error), {"Retry-After": "1"}) from error


def _taken(server: Server, item: Item, created: bool, unknown: list[str]) -> ItemTaken:
    return ItemTaken(item_id=server.items.shown(item.item_id), created=created, unknown_genres=unknown)


def _unknown(server: Server, item: Item) -> list[str]:
    """The item's labels that no item has yet."""
    first = server.items.attributes.labels
    if first is None:
        return []
    facet = server.items.facets.by_name[first]
    return [value for value in item.facets.get(first, ()) if not len(facet.rows(value))]
