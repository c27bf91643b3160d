"""GET /v1/recommendations."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import ORJSONResponse

from features.words import MAX_ID
from online import metrics
from online.problems import Problem
from online.ranking.catalogue import LiveModel
from online.recommend import Request
from online.state import Server, server_of
from online.tokens import read_token

router = APIRouter()

UserIdQuery = Annotated[int, Query(ge=0, le=MAX_ID)]
MAX_EXCLUDED = 1000


def find_model(server: Server, name: str | None) -> LiveModel | None:
    """The model asked for. None if nothing is trained at all and none was asked for by name; 404 for an unknown name."""
    wanted = name or server.settings.default_model
    model = server.models.get(wanted)
    if model is None and name is not None:
        there = [each.name for each in server.models.all()]
        raise Problem(
            404,
            f"no model {name!r} is ready; there {'are' if len(there) != 1 else 'is'}: {', '.join(there) or 'none'}. "
            f"If it is one of Martlet's and was not trained yet: ./martlet train --model {name}",
            models=there,
        )
    return model or next(iter(server.models.all()), None)


def read_excluded(text: str | None) -> frozenset[int]:
    if not text:
        return frozenset()
    parts = text.split(",")
    if len(parts) > MAX_EXCLUDED or not all(
        part.isascii() and part.isdigit() and int(part) <= MAX_ID for part in parts
    ):
        raise Problem(422, f"exclude: expected up to {MAX_EXCLUDED} item ids separated by commas, got {text[:100]!r}")
    return frozenset(map(int, parts))


@router.get("/v1/recommendations")
async def get_recommendations(
    server: Annotated[Server, Depends(server_of)],
    user_id: UserIdQuery,
    model: Annotated[str | None, Query(max_length=64)] = None,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
    seen: Annotated[str | None, Query(max_length=4096)] = None,
    at: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
    genre: Annotated[str | None, Query(max_length=64)] = None,
    exclude: Annotated[str | None, Query(max_length=32_768)] = None,
) -> ORJSONResponse:
    """The user's list as of now: recalled, ranked by `model` with the freshest features. With `seen` (a token of a POST)
    it waits, briefly, until that POST's events are in the features, and says whether they are. Every list is logged to the
    topic `served`; events that answer it carry its `request_id` and the item's place in it, from 0, as `position`."""
    ranker = find_model(server, model)
    if genre is not None and genre not in server.items.genres:
        raise Problem(404, f"no genre {genre!r}; there are: {', '.join(server.items.genres)}")
    excluded = read_excluded(exclude)
    seen_applied: bool | None = None
    if seen is not None:
        try:
            places = read_token(seen)
        except ValueError as error:
            raise Problem(422, f"seen: expected a token that POST /v1/events gave, got {seen[:60]!r}") from error
        seen_applied = await server.users.wait_for(places, server.settings.seen_wait_ms / 1000)
    answer = await server.recommender.recommend(Request(user_id, ranker, size, at, genre, excluded))
    for what in answer.degraded:
        metrics.DEGRADED.labels(what).inc()
    if answer.applied_in_ms is not None and seen_applied:
        metrics.APPLIED.observe(answer.applied_in_ms / 1000)
    response = ORJSONResponse(
        {
            "request_id": answer.request_id,
            "user_id": user_id,
            "model": answer.model.name if answer.model else None,
            "model_version": answer.model.version if answer.model else None,
            "at": answer.at,
            "items": [
                {
                    "item_id": item.item_id,
                    "title": item.title,
                    "genres": item.genres,
                    "year": item.year or None,
                    "score": item.score,
                    "channels": item.channels,
                }
                for item in answer.items
            ],
            "freshness": {
                "last_event_ts": answer.last_event_ts,
                "applied_in_ms": answer.applied_in_ms,
                "seen_applied": seen_applied,
            },
            "degraded": list(answer.degraded),
        }
    )
    server.served.put(answer)
    return response


@router.get("/v1/models")
async def get_models(server: Annotated[Server, Depends(server_of)]) -> dict[str, Any]:
    """The models that rank now, with what is known of them, and the versions that were refused, with the reason."""
    return {
        "default": server.settings.default_model,
        "models": [
            {
                "name": model.name,
                "version": model.version,
                "inputs": [each.name for each in model.manifest.inputs],
                "metrics": model.manifest.metrics,
                "data": msgspec.to_builtins(model.manifest.data),
                "created": model.manifest.created,
            }
            for model in server.models.all()
        ],
        "refused": [
            {"name": name, "version": version, "reason": reason}
            for (name, version), reason in sorted(server.models.refused.items())
        ],
    }
