"""What is known of users and items: GET /v1/users/{id}, /v1/items/{id}, /v1/items/{id}/similar."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Path, Query

from features.inputs import fades, popularity, tastes
from features.words import KINDS, MAX_ID, RATING
from online.problems import Problem
from online.state import Server, server_of

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
    liking = tastes(features, now, server.items.genres, server.weights.weights)
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


def _item_row(server: Server, item_id: int) -> int:
    row = server.items.row(item_id)
    if row is None:
        raise Problem(404, f"no item {item_id}")
    return row


@router.get("/v1/items/{item_id}")
async def get_item(server: Annotated[Server, Depends(server_of)], item_id: IdPath) -> dict[str, Any]:
    """An item of the catalogue and its live features."""
    row = _item_row(server, item_id)
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


@router.get("/v1/items/{item_id}/similar")
async def get_similar(
    server: Annotated[Server, Depends(server_of)], item_id: IdPath, size: Annotated[int, Query(ge=1, le=100)] = 20
) -> dict[str, Any]:
    """Items that were liked next to this one, best first."""
    near = []
    for row, weight in server.items.similar(_item_row(server, item_id)):
        other = int(server.items.columns.ids[row])
        near.append({"item_id": other, "title": _title(server, other), "weight": round(weight, 5)})
        if len(near) == size:
            break
    return {"item_id": item_id, "similar": near}
