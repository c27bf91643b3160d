"""Lists: GET and POST /v1/recommendations, POST /v1/rank; and /v1/models."""

import asyncio
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query
from msgspec import Meta

from features.events import Id
from features.served import MAX_CANDIDATES
from features.words import MAX_ID
from online import metrics
from online.admission import ASIDE
from online.answer import JsonResponse
from online.explain import explain_items, explain_list
from online.followed import UNREADABLE
from online.problems import Problem
from online.ranking.catalogue import LiveModel
from online.recommend import Recommendation, Request
from online.state import Server, body_of, server_of
from online.tokens import read_token

router = APIRouter()

T = TypeVar("T")
UserIdQuery = Annotated[int, Query(ge=0, le=MAX_ID)]
ModelQuery = Annotated[str | None, Query(max_length=64)]
AT_ONCE = ASIDE
"""Lists of one call that are made side by side."""
MANY_WITHIN = 30.0
"""Seconds that a call for many lists may take."""
MAX_EXCLUDED = 1000


def find_model(server: Server, name: str | None, preferred: str | None = None) -> LiveModel | None:
    """The model asked for, else the one that the user's policy prefers, else the default. None if nothing is trained at all and
    none was asked for by name; 404 for an unknown name."""
    wanted = name or preferred or server.settings.default_model
    model = server.models.get(wanted)
    if model is None and name is not None:
        there = [each.name for each in server.models.all()]
        raise Problem(
            404,
            f"no model {name!r} is ready; there {'are' if len(there) != 1 else 'is'}: {', '.join(there) or 'none'}. "
            f"If it is one of Martlet's and was not trained yet: ./martlet train --model {name}",
            models=there,
        )
    return model or server.models.get(server.settings.default_model) or next(iter(server.models.all()), None)


def read_excluded(text: str | None) -> frozenset[int]:
    if not text:
        return frozenset()
    parts = text.split(",")
    if len(parts) > MAX_EXCLUDED or not all(
        part.isascii() and part.isdigit() and int(part) <= MAX_ID for part in parts
    ):
        raise Problem(422, f"exclude: expected up to {MAX_EXCLUDED} item ids separated by commas, got {text[:100]!r}")
    return frozenset(map(int, parts))


async def ask(
    server: Server,
    user_id: int,
    model: str | None,
    size: int,
    at: int | None = None,
    genre: str | None = None,
    excluded: frozenset[int] = frozenset(),
    items: tuple[int, ...] | None = None,
    explain: bool = False,
    aside: bool = False,
) -> Recommendation:
    """A list, and what is counted of it. 404 for a model or genre that is not there, 503 where its turn does not come in time
    (`online.admission`; aside: nobody waits for it at a screen)."""
    chosen = server.serving.value.choose(user_id)
    ranker = find_model(server, model, chosen.policy.model)
    if genre is not None and genre not in server.items.genres:
        raise Problem(404, f"no genre {genre!r}; there are: {', '.join(server.items.genres)}")
    request = Request(user_id, ranker, size, at, genre, excluded, chosen, model is not None, items, explain)
    async with server.gate.turn_aside() if aside else server.gate.turn() as waited:
        answer = await server.recommender.recommend(request, waited)
    for what in answer.degraded:
        metrics.DEGRADED.labels(what).inc()
    return answer


def note_shown(server: Server, answer: Recommendation) -> None:
    """A list has been answered with: it is counted for its arms, and logged some time soon."""
    for experiment, arm in answer.arms.items():
        metrics.LISTS.labels(experiment, arm).inc()
    server.acted.shown(answer.request_id, answer.arms)
    server.served.put(answer)


def answer_of(answer: Recommendation, seen_applied: bool | None, explained: bool = False) -> dict[str, Any]:
    """The JSON of a list."""
    items: list[dict[str, Any]] = [
        {
            "item_id": item.item_id,
            "title": item.title,
            "genres": item.genres,
            "year": item.year or None,
            "score": item.score,
            "channels": item.channels,
        }
        | ({"team": item.team} if item.team else {})
        for item in answer.items
    ]
    body: dict[str, Any] = {
        "request_id": answer.request_id,
        "user_id": answer.user_id,
        "model": answer.model.name if answer.model else None,
        "model_version": answer.model.version if answer.model else None,
        "at": answer.at,
        "items": items,
        "freshness": {
            "last_event_ts": answer.last_event_ts,
            "applied_in_ms": answer.applied_in_ms,
            "seen_applied": seen_applied,
        },
        "degraded": list(answer.degraded),
    }
    if answer.arms:
        body["arms"] = dict(answer.arms)
    if explained:
        body["explain"] = explain_list(answer)
        for item, why in zip(items, explain_items(answer), strict=True):
            item["explain"] = why
    return body


async def wait_for(server: Server, seen: str | None) -> bool | None:
    """Whether what a token stands for is in the features, after a short wait; None without a token. 422 for one that is none."""
    if seen is None:
        return None
    try:
        places = read_token(seen)
    except ValueError as error:
        raise Problem(422, f"seen: expected a token that POST /v1/events gave, got {seen[:60]!r}") from error
    return await server.users.wait_for(places, server.settings.seen_wait_ms / 1000)


@router.get("/v1/recommendations")
async def get_recommendations(
    server: Annotated[Server, Depends(server_of)],
    user_id: UserIdQuery,
    model: ModelQuery = None,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
    seen: Annotated[str | None, Query(max_length=4096)] = None,
    at: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
    genre: Annotated[str | None, Query(max_length=64)] = None,
    exclude: Annotated[str | None, Query(max_length=32_768)] = None,
    explain: bool = False,
) -> JsonResponse:
    """The user's list as of now: recalled, ranked by `model` with the freshest features. With `seen` (a token of a POST)
    it waits, briefly, until that POST's events are in the features, and says whether they are. Every list is logged to the
    topic `served`; events that answer it carry its `request_id` and the item's place in it, from 0, as `position`.
    `explain=1` says why each item is where it is."""
    excluded = read_excluded(exclude)
    seen_applied = await wait_for(server, seen)
    answer = await ask(server, user_id, model, size, at, genre, excluded, explain=explain)
    if answer.applied_in_ms is not None and seen_applied:
        metrics.APPLIED.observe(answer.applied_in_ms / 1000)
    response = JsonResponse(answer_of(answer, seen_applied, explain))
    note_shown(server, answer)
    return response


class Many(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lists for several users, with the same settings."""

    user_ids: Annotated[list[Id], Meta(min_length=1, max_length=100)]
    model: Annotated[str, Meta(max_length=64)] | None = None
    size: Annotated[int, Meta(ge=1, le=100)] = 20
    seen: Annotated[str, Meta(max_length=4096)] | None = None
    at: Id | None = None
    genre: Annotated[str, Meta(max_length=64)] | None = None
    exclude: Annotated[list[Id], Meta(max_length=MAX_EXCLUDED)] = []
    explain: bool = False


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Candidates to rank for a user."""

    user_id: Id
    item_ids: Annotated[list[Id], Meta(min_length=1, max_length=MAX_CANDIDATES)]
    model: Annotated[str, Meta(max_length=64)] | None = None
    at: Id | None = None
    explain: bool = False


def _read(kind: type[T], body: bytes) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise Problem(422, f"expected {(kind.__doc__ or '').strip().rstrip('.').lower()}: {error}") from error


@router.post("/v1/recommendations")
async def post_recommendations(
    server: Annotated[Server, Depends(server_of)], body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """The same for up to 100 users at once: {"user_ids": [...], ...} → {"lists": [...]}, in their order."""
    given = _read(Many, body)
    seen_applied = await wait_for(server, given.seen)
    excluded = frozenset(given.exclude)
    answers: list[Recommendation] = []
    try:
        async with asyncio.timeout(MANY_WITHIN):
            for start in range(0, len(given.user_ids), AT_ONCE):
                some = given.user_ids[start : start + AT_ONCE]
                answers += await asyncio.gather(*(_one_of_many(server, given, user_id, excluded) for user_id in some))
    except TimeoutError:
        told = (
            f"{len(answers)} of {len(given.user_ids)} lists were made in {MANY_WITHIN:.0f} s: ask for fewer, or later"
        )
        raise Problem(503, told, {"Retry-After": "5"}) from None
    response = JsonResponse({"lists": [answer_of(answer, seen_applied, given.explain) for answer in answers]})
    for answer in answers:
        note_shown(server, answer)
    return response


async def _one_of_many(server: Server, given: Many, user_id: int, excluded: frozenset[int]) -> Recommendation:
    return await ask(
        server, user_id, given.model, given.size, given.at, given.genre, excluded, explain=given.explain, aside=True
    )


@router.post("/v1/rank")
async def post_rank(
    server: Annotated[Server, Depends(server_of)], body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """Candidates of the caller's own, up to 500, ranked for a user: {"user_id": 6, "item_ids": [...]}. What the user has seen is
    ranked too; ids that are no items are named in `unknown`. Such a list is not logged to `served`: what becomes of it is the
    caller's."""
    given = _read(Given, body)
    wanted = tuple(dict.fromkeys(given.item_ids))
    answer = await ask(server, given.user_id, given.model, len(wanted), given.at, items=wanted, explain=given.explain)
    unknown = [item_id for item_id in wanted if server.items.row(item_id) is None]
    return JsonResponse(answer_of(answer, None, given.explain) | {"unknown": unknown})


def refused_versions(server: Server) -> list[dict[str, Any]]:
    """Versions of models and of vectors that are not used, and why."""
    refused = server.models.refused | server.vectors.refused
    return [{"name": name, "version": version, "reason": why} for (name, version), why in sorted(refused.items())]


@router.get("/v1/models")
async def get_models(server: Annotated[Server, Depends(server_of)]) -> dict[str, Any]:
    """The models that rank now, with what is known of them; the vectors of items that recall uses; and the versions of both that
    were refused, with the reason."""
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
        "refused": refused_versions(server),
        "vectors": [
            {
                "name": kind.name,
                "version": kind.version,
                "items": len(kind.index),
                "width": kind.index.width,
                "index": "exact" if kind.index.exact else "approximate",
            }
            for kind in server.vectors.all()
        ],
    }
