"""Shared by all routes that return lists: choosing the model, making the list, counting and logging it, and its JSON."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from features.contracts.served import ContextValue
from features.ids import OuterId
from online.http.json_response import ItemOutline
from online.http.problems import Problem
from online.http.seen_token import read_token
from online.model_client.live_models import LiveModel
from online.recommend.explain import ItemExplanation, ListExplanation, explain_items, explain_list
from online.recommend.recommendation import Recommendation, Request
from online.routes.parameters import read_fields, read_id
from online.server import Server
from online.stores.facets import Filter
from online.stores.number_columns import Range
from online.support import metrics
from online.support.log_lines import note_ids


class SlateItem(ItemOutline, frozen=True, kw_only=True):
    """One item of a list, with the recall channels that found it; `team`: the model whose pick it was, where two are
    interleaved."""

    score: float
    channels: tuple[str, ...]
    team: str | UnsetType = UNSET
    explain: ItemExplanation | UnsetType = UNSET


class Freshness(msgspec.Struct, frozen=True):
    """How new the user's features were. `seen_applied`: whether the events of the token `seen` were in them; null without."""

    last_event_ts: int | None
    applied_in_ms: int | None
    seen_applied: bool | None


class ListAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A user's list, best first. `degraded` names what was missing when it was made; `arms` the experiments that it is in."""

    request_id: str
    user_id: OuterId
    model: str | None
    model_version: int | None
    at: int
    items: list[SlateItem]
    freshness: Freshness
    degraded: tuple[str, ...]
    arms: dict[str, str] | UnsetType = UNSET
    explain: ListExplanation | UnsetType = UNSET


def find_model(server: Server, name: str | None, preferred: str | None = None) -> LiveModel | None:
    """The requested model, else the one that the user's policy prefers, else the default. None if no model is trained and none
    is requested by name. Raises a 404 Problem for an unknown name."""
    wanted = name or preferred or server.settings.default_model
    model = server.models.get(wanted)
    if model is None and name is not None:
        ready = [each.name for each in server.models.all()]
        raise Problem(
            404,
            f"no model {name!r} is ready; there {'are' if len(ready) != 1 else 'is'}: {', '.join(ready) or 'none'}. "
            f"If it is one of Martlet's and was not trained yet: ./martlet train --model {name}",
            models=ready,
        )
    return model or server.models.get(server.settings.default_model) or next(iter(server.models.all()), None)


async def make_list(
    server: Server,
    user: OuterId,
    model: str | None,
    size: int,
    at: int | None = None,
    filters: tuple[Filter, ...] = (),
    excluded: frozenset[int] = frozenset(),
    items: tuple[int, ...] | None = None,
    explain: bool = False,
    background: bool = False,
    ranges: tuple[Range, ...] = (),
    context: Mapping[str, ContextValue] | None = None,
) -> Recommendation:
    """Make a list, and count what it misses. background: low priority, may wait up to 20 s for its slots. Raises a 404 Problem
    for an unknown model, 422 for what is no id, 503 if no slot is free in time (`online.http.load_shedding`)."""
    user_id, outer = read_id(server, "user_id", user)
    chosen = server.serving.value.choose_arms(user_id)
    ranker = find_model(server, model, chosen.policy.model)
    named = model is not None
    request = Request(
        user_id=user_id,
        model=ranker,
        size=size,
        at=at,
        filters=filters,
        exclude=excluded,
        chosen=chosen,
        named=named,
        items=items,
        explain=explain,
        user=outer,
        ranges=ranges,
        context=context or {},
        judging=server.serving.value.judging,
    )
    async with server.shedder.background_slot() if background else server.shedder.slot() as waited:
        answer = await server.recommender.recommend(request, waited)
    for what in answer.degraded:
        metrics.DEGRADED.labels(what).inc()
    return answer


def record_shown(server: Server, answer: Recommendation) -> None:
    """Count a list that was returned for its arms, remember it for its outcomes, and queue it for logging."""
    for experiment, arm in answer.arms.items():
        metrics.LISTS.labels(experiment, arm).inc()
    server.outcomes.record_shown(answer.request_id, answer.arms)
    note_ids("request_ids", answer.request_id)
    server.interleaved.record_shown(answer.request_id, answer.user or answer.user_id, answer.teams)
    server.impression_log.put(answer)
    server.scores.record_shown(answer)


def record_answered(server: Server, answer: Recommendation, seen_applied: bool | None) -> None:
    """As `record_shown`, and how fresh the list of a token was."""
    if answer.applied_in_ms is not None and seen_applied:
        metrics.APPLIED.observe(answer.applied_in_ms / 1000)
    record_shown(server, answer)


def answer_of(
    server: Server,
    answer: Recommendation,
    seen_applied: bool | None,
    fields: Sequence[str] | None = None,
    explained: bool = False,
) -> ListAnswer:
    """A list as JSON. fields: the attributes that its items carry; None: those of `read_fields`."""
    names = read_fields(server, fields)
    reasons: Sequence[ItemExplanation | UnsetType] = (
        explain_items(answer) if explained else [UNSET] * len(answer.item_ids)
    )
    model = answer.model
    return ListAnswer(
        request_id=answer.request_id,
        user_id=server.schema.ids.shown(answer.user or answer.user_id),
        model=model.name if model else None,
        model_version=model.version if model else None,
        at=answer.at,
        items=[
            SlateItem(
                **server.items.outline(server.items.item_of(item.item_id), names),
                score=item.score,
                channels=item.channels,
                team=item.team or UNSET,
                explain=why,
            )
            for item, why in zip(answer.items, reasons, strict=True)
        ],
        freshness=Freshness(answer.last_event_ts, answer.applied_in_ms, seen_applied),
        degraded=answer.degraded,
        arms=dict(answer.arms) or UNSET,
        explain=explain_list(answer, server.items.shown) if explained else UNSET,
    )


async def wait_for(server: Server, seen: str | None) -> bool | None:
    """Wait briefly until the events of a token are in the features: whether they are; None without a token. Raises a 422
    Problem for an invalid token."""
    if seen is None:
        return None
    try:
        offsets = read_token(seen)
    except ValueError as error:
        raise Problem(422, f"seen: expected a token that POST /v1/events gave, got {seen[:60]!r}") from error
    return await server.seen_waits.wait_for(offsets, server.settings.seen_wait_ms / 1000)
