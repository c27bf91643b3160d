"""What is known of an item: GET and PUT /v1/items/{id}."""

from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import APIRouter, Depends
from msgspec import Meta

from features.catalogue import ITEM_LIMIT, Genre, ItemRecord, Title
from features.errors import Unavailable
from features.inputs import popularity
from online.followed import UNREADABLE
from online.problems import Problem
from online.routes.parameters import IdPath, item_row
from online.state import Server, body_of, server_of

router = APIRouter()


@router.get("/v1/items/{item_id}")
async def get_item(server: Annotated[Server, Depends(server_of)], item_id: IdPath) -> dict[str, Any]:
    """An item of the catalogue and its live features."""
    row = item_row(server, item_id)
    item = server.items.catalogue.get(item_id)
    ratings, total, squares, positives, events, first = server.items.columns.sums[row].tolist()
    spread = max(squares / ratings - (total / ratings) ** 2, 0) ** 0.5 if ratings else None
    rows, now = np.array([row]), server.clock.now()
    return {
        "item_id": item_id,
        "title": server.items.title_of(item_id),
        "genres": item.genres if item else (),
        "year": (item.year or None) if item else None,
        "ratings": int(ratings),
        "mean_rating": round(total / ratings, 3) if ratings else None,
        "rating_spread": None if spread is None else round(spread, 3),
        "positives": int(positives),
        "events": int(events),
        "first_event_ts": int(first) or None,
        "popularity": {
            "day": float(popularity(server.items.columns, rows, now, 1.0)[0]),
            "weeks": float(popularity(server.items.columns, rows, now, 14.0)[0]),
        },
    }


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
async def put_item(
    server: Annotated[Server, Depends(server_of)], item_id: IdPath, body: Annotated[bytes, Depends(body_of)]
) -> dict[str, Any]:
    """A new or changed item: {"title": ..., "genres": [...], "year": ...}. It is shown, recalled as new, and kept in the topic
    `items` from now on. Genres that the catalogue does not have yet are named in `unknown_genres`: they count for nothing until
    the next base."""
    given = read_item_body(body)
    known = server.items.row(item_id) is not None
    record = ItemRecord(item_id, given.title, given.genres, given.year or 0, server.clock.now())
    try:
        await server.new_items.put(record)
    except Unavailable as error:
        raise Problem(503, str(error), {"Retry-After": "1"}) from error
    strange = [genre for genre in given.genres if genre not in server.items.genres]
    return {"item_id": item_id, "created": not known, "unknown_genres": strange}
