"""What is known of an item: GET and PUT /v1/items/{id}."""

from dataclasses import asdict
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from msgspec import Meta

from features.contracts.items import ITEM_LIMIT, Genre, ItemRecord, Title
from features.errors import Unavailable
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.http.problems import Problem
from online.routes.item_answers import ItemOutline, Popularity, outline
from online.routes.parameters import IdPath, item_row
from online.server import Server, body_of, server_of
from online.support.reloadable_file import UNREADABLE

router = APIRouter()


class ItemAnswer(ItemOutline, frozen=True, kw_only=True):
    """An item and its live features. mean_rating, rating_spread: stars, null without ratings."""

    ratings: int
    mean_rating: float | None
    rating_spread: float | None
    positives: int
    events: int
    first_event_ts: int | None
    popularity: Popularity


@router.get("/v1/items/{item_id}")
@contract(ItemAnswer, problems=(404,))
async def get_item(server: Annotated[Server, Depends(server_of)], item_id: IdPath) -> JsonResponse:
    """An item of the catalogue and its live features."""
    row = item_row(server, item_id)
    totals = server.items.totals(row)
    (popularity,) = server.items.popularity([row], server.clock.now())
    return JsonResponse(
        ItemAnswer(**outline(server.items.item_at(row)), **asdict(totals), popularity=Popularity(*popularity))
    )


class ItemTaken(msgspec.Struct, frozen=True, kw_only=True):
    """created: it is new; unknown_genres: those that count for nothing until the next base."""

    item_id: int
    created: bool
    unknown_genres: list[str]


class ItemBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an item is."""

    title: Title
    genres: Annotated[tuple[Genre, ...], Meta(max_length=20)] = ()
    year: Annotated[int, Meta(ge=1800, le=9999)] | None = None


def read_item_body(body: bytes) -> ItemBody:
    """Raises Problem: 413 for more than ITEM_LIMIT bytes, 422 for what is no item."""
    if len(body) > ITEM_LIMIT:
        raise Problem(413, f"expected an item of at most {ITEM_LIMIT} bytes, got {len(body)} bytes")
    try:
        return msgspec.json.decode(body, type=ItemBody)
    except UNREADABLE as error:
        raise Problem(422, f"expected what an item is: {error}") from error


@router.put("/v1/items/{item_id}")
@contract(ItemTaken, body=ItemBody, problems=(503,))
async def put_item(
    server: Annotated[Server, Depends(server_of)], item_id: IdPath, body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """A new or changed item: {"title": ..., "genres": [...], "year": ...}. It is shown, recalled as new, and kept in the topic
    `items` from now on. Genres that the catalogue does not have yet are named in `unknown_genres`: they count for nothing until
    the next base."""
    given = read_item_body(body)
    known = server.items.row(item_id) is not None
    record = ItemRecord(item_id, given.title, given.genres, given.year or 0, server.clock.now())
    try:
        await server.item_topic.put(record)
    except Unavailable as error:
        raise Problem(503, str(error), {"Retry-After": "1"}) from error
    strange = [genre for genre in given.genres if genre not in server.items.genres]
    return JsonResponse(ItemTaken(item_id=item_id, created=not known, unknown_genres=strange))
