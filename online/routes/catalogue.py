"""What is known of users and items: GET /v1/users/{id} and /v1/items/{id}; and PUT /v1/items/{id}."""

from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Path
from msgspec import Meta

from features.catalogue import ITEM_LIMIT, Genre, ItemRecord, Title
from features.errors import Unavailable
from features.inputs import fades, popularity, tastes
from features.words import KINDS, MAX_ID, RATING
from online.followed import UNREADABLE
from online.problems import Problem
from online.state import Server, body_of, server_of

router = APIRouter()

IdPath = Annotated[int, Path(ge=0, le=MAX_ID)]


def _mean(total: float, count: int) -> float | None:
    return round(total / 100 / count, 3) if count else None


def _title(server: Server, item_id: int) -> str:
    item = server.items.catalogue.get(item_id)
    return item.title if item else f"Item {item_id}"


@router.get("/v1/users/{user_id}")
async def get_user(server: Annotated[Server, Depends(server_of)], user_id: IdPath) -> dict[str, Any]:
    """A user's features and history as they are now; a user nobody has heard of has empty ones."""
    user = await server.users.get(user_id)
    features, now = user.features, server.clock.now()
    liking = tastes(features, now, server.items.genres, server.weights.value)
    fade = fades(features, now)
    return {
        "user_id": user_id,
        "known": user.known,
        "live": user.live,
        "now": now,
        "last_event_ts": features.last_ts or None,
        "applied_in_ms": user.applied_in_ms,
        "counts": dict(zip(KINDS, features.counts, strict=False)),
        "mean_rating": _mean(features.rating_sum, features.counts[RATING]),
        "positives": features.positives,
        "negatives": features.negatives,
        "seen": len(user.seen),
        "session": dict(zip(("start_ts", "last_ts", "events", "clicks"), features.session, strict=True))
        | {"gap_ms": features.gap},
        "activity": dict(
            zip(("hour", "day", "weeks"), (np.asarray(features.activity) * fade).round(4).tolist(), strict=True)
        ),
        "sequence": [item_id for item_id, _ in features.sequence],
        "tastes": {
            genre: {"hour": float(liking[0, at]), "day": float(liking[1, at]), "weeks": float(liking[2, at])}
            for at, genre in enumerate(server.items.genres)
            if np.abs(liking[:, at]).sum() > 0
        },
        "weights": {
            name: {"ts": taste[0], "positive": np.round(np.asarray(taste[4:7]) * fade, 4).tolist()}
            for name, taste in features.tastes.items()
        },
        "history": [
            {
                "item_id": item_id,
                "title": _title(server, item_id),
                "ts": ts,
                "type": KINDS[kind],
                "rating": centi / 100 if kind == RATING else None,
            }
            for item_id, ts, kind, centi in reversed(features.recent)
        ],
    }


def item_row(server: Server, item_id: int) -> int:
    """The row of an item; 404 for one that is not there."""
    row = server.items.row(item_id)
    if row is None:
        raise Problem(404, f"no item {item_id}")
    return row


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
        "title": _title(server, item_id),
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
