"""What is known of a user: GET /v1/users/{id}."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends

from features.inputs import fades, tastes
from features.words import KINDS, RATING
from online.routes.parameters import IdPath
from online.state import Server, server_of

router = APIRouter()


def _mean(total: float, count: int) -> float | None:
    return round(total / 100 / count, 3) if count else None


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
                "title": server.items.title_of(item_id),
                "ts": ts,
                "type": KINDS[kind],
                "rating": centi / 100 if kind == RATING else None,
            }
            for item_id, ts, kind, centi in reversed(features.recent)
        ],
    }
