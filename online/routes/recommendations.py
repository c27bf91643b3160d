"""Lists: GET and POST /v1/recommendations, POST /v1/rank."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from msgspec import UNSET, Meta, UnsetType

from features.contracts.events import ContextFields, Id, Whole
from features.contracts.served import MAX_CANDIDATES, ContextValue
from features.ids import OuterId
from features.types import MAX_ID
from online.http.json_response import JsonBytes, JsonResponse, encode_answer
from online.http.load_shedding import MAX_BACKGROUND
from online.http.openapi import contract
from online.http.problems import Problem
from online.recommend.recommendation import Recommendation
from online.routes.list_answers import ListAnswer, answer_of, make_list, record_answered, record_shown, wait_for
from online.routes.parameters import (
    FacetFilters,
    FacetQuery,
    FieldNames,
    FieldsQuery,
    GenreQuery,
    ModelQuery,
    RangeFilters,
    RangeQuery,
    UserIdQuery,
    read_context,
    read_context_query,
    read_fields,
    read_filters,
    read_ids,
    read_ranges,
    split_fields,
)
from online.server import Server, body_of, server_of
from online.stores.facets import Filter
from online.stores.number_columns import Range
from online.support.reloadable_file import UNREADABLE

router = APIRouter()

T = TypeVar("T")
CONCURRENT = MAX_BACKGROUND
"""Lists of one call that are made concurrently."""
MANY_TIMEOUT = 30.0
"""Seconds that one call for several users may take."""
MAX_EXCLUDED = 1000


def read_excluded(server: Server, text: str | None) -> frozenset[int]:
    if not text:
        return frozenset()
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MAX_EXCLUDED:
        raise Problem(422, f"exclude: expected up to {MAX_EXCLUDED} item ids separated by commas, got {len(parts)}")
    return frozenset(read_ids(server, "exclude", parts))


@router.get("/v1/recommendations")
@contract(ListAnswer, problems=(404, 503), context=True)
async def get_recommendations(
    server: Annotated[Server, Depends(server_of)],
    request: Request,
    user_id: UserIdQuery,
    model: ModelQuery = None,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
    seen: Annotated[str | None, Query(max_length=4096)] = None,
    at: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
    genre: GenreQuery = None,
    facet: FacetQuery = None,
    range_: RangeQuery = None,
    exclude: Annotated[str | None, Query(max_length=32_768)] = None,
    fields: FieldsQuery = None,
    explain: bool = False,
) -> JsonBytes:
    """The user's list as of now: recalled, ranked by `model` with the freshest features. With `seen` (a token of a POST)
    it waits, briefly, until that POST's events are in the features, and says whether they are. Every list is logged to the
    topic `served`; events that answer it carry its `request_id` and the item's place in it, from 0, as `position`.
    `facet=brand:Acme` keeps items with that value; of several values of one facet an item has one, of several facets one of
    each. `genre=X` is short for a label, a value of the first facet that counts for tastes. `range=price:10..50` keeps items
    whose number lies there, both ends included; either may be left out. `context.NAME=value` says the circumstances that the
    schema names; it is logged with the list. `fields` names the attributes that items carry. `exclude` can't name an id with a
    comma in it; a POST can. `explain=1` says why each item is where it is."""
    excluded = read_excluded(server, exclude)
    filters, ranges = read_filters(server, facet, genre), read_ranges(server, range_)
    context = read_context_query(server, request.query_params.multi_items())
    names = read_fields(server, split_fields(fields))
    seen_applied = await wait_for(server, seen)
    answer = await make_list(
        server, user_id, model, size, at, filters, excluded, explain=explain, ranges=ranges, context=context
    )
    if explain or fields is not None:
        body = encode_answer(answer_of(server, answer, seen_applied, names, explain))
    else:
        body = server.pieces.encode(answer, seen_applied)
    record_answered(server, answer, seen_applied)
    return JsonBytes(body)


async def plain_list(server: Server, user_id: str, model: str | None, size: int, seen: str | None) -> bytes:
    """The JSON of GET /v1/recommendations with these parameters alone. Raises a Problem as that does."""
    seen_applied = await wait_for(server, seen)
    answer = await make_list(server, user_id, model, size)
    body = server.pieces.encode(answer, seen_applied)
    record_answered(server, answer, seen_applied)
    return body


class Lists(msgspec.Struct, frozen=True):
    """A list for each user that was asked for, in their order."""

    lists: list[ListAnswer]


class RankedList(ListAnswer, frozen=True, kw_only=True):
    """The given candidates as a list; `unknown`: those that are no items."""

    unknown: list[OuterId]


class Many(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lists for several users, with the same settings."""

    user_ids: Annotated[list[Id], Meta(min_length=1, max_length=100)]
    model: Annotated[str, Meta(max_length=64)] | None = None
    size: Annotated[int, Meta(ge=1, le=100)] = 20
    seen: Annotated[str, Meta(max_length=4096)] | None = None
    at: Whole | None = None
    genre: Annotated[str, Meta(max_length=200)] | None = None
    facet: FacetFilters = []
    range: RangeFilters = []
    exclude: Annotated[list[Id], Meta(max_length=MAX_EXCLUDED)] = []
    fields: FieldNames | None = None
    explain: bool = False
    context: ContextFields | UnsetType = UNSET


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Candidates to rank for a user."""

    user_id: Id
    item_ids: Annotated[list[Id], Meta(min_length=1, max_length=MAX_CANDIDATES)]
    model: Annotated[str, Meta(max_length=64)] | None = None
    at: Whole | None = None
    fields: FieldNames | None = None
    explain: bool = False


def _read(kind: type[T], body: bytes) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise Problem(422, f"expected {(kind.__doc__ or '').strip().rstrip('.').lower()}: {error}") from error


@router.post("/v1/recommendations")
@contract(Lists, body=Many, problems=(404, 503))
async def post_recommendations(
    server: Annotated[Server, Depends(server_of)], body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """The same for up to 100 users at once: {"user_ids": [...], ...} → {"lists": [...]}, in their order."""
    given = _read(Many, body)
    filters, names = read_filters(server, given.facet, given.genre), read_fields(server, given.fields)
    seen_applied = await wait_for(server, given.seen)
    excluded = frozenset(read_ids(server, "exclude", given.exclude))
    ranges = read_ranges(server, given.range)
    context = {} if given.context is UNSET else read_context(server, given.context)
    answers: list[Recommendation] = []
    try:
        async with asyncio.timeout(MANY_TIMEOUT):
            for start in range(0, len(given.user_ids), CONCURRENT):
                some = given.user_ids[start : start + CONCURRENT]
                async with _all_or_none() as group:
                    tasks = [
                        group.create_task(_one_of_many(server, given, user_id, filters, excluded, ranges, context))
                        for user_id in some
                    ]
                answers += [task.result() for task in tasks]
    except TimeoutError:
        detail = (
            f"{len(answers)} of {len(given.user_ids)} lists were made in {MANY_TIMEOUT:.0f} s: ask for fewer, or later"
        )
        raise Problem(503, detail, {"Retry-After": "5"}) from None
    response = JsonResponse(
        Lists([answer_of(server, answer, seen_applied, names, given.explain) for answer in answers])
    )
    for answer in answers:
        record_shown(server, answer)
    return response


@contextlib.asynccontextmanager
async def _all_or_none() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks of which the first that fails ends the others, so that they hold no slots for nothing; raises its error."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed


async def _one_of_many(
    server: Server,
    given: Many,
    user_id: OuterId,
    filters: tuple[Filter, ...],
    excluded: frozenset[int],
    ranges: tuple[Range, ...],
    context: Mapping[str, ContextValue],
) -> Recommendation:
    return await make_list(
        server,
        user_id,
        given.model,
        given.size,
        given.at,
        filters,
        excluded,
        explain=given.explain,
        background=True,
        ranges=ranges,
        context=context,
    )


@router.post("/v1/rank")
@contract(RankedList, body=Given, problems=(404, 503))
async def post_rank(
    server: Annotated[Server, Depends(server_of)], body: Annotated[bytes, Depends(body_of)]
) -> JsonBytes:
    """Candidates of the caller's own, up to 500, ranked for a user: {"user_id": 6, "item_ids": [...]}. What the user has seen is
    ranked too; ids that are no items are named in `unknown`. Such a list is not logged to `served`: what becomes of it is the
    caller's."""
    return JsonBytes(await rank_given(server, body))


async def rank_given(server: Server, body: bytes) -> bytes:
    """The JSON of POST /v1/rank for a body. Raises a Problem."""
    given = _read(Given, body)
    names = read_fields(server, given.fields)
    named = dict(zip(read_ids(server, "item_ids", given.item_ids), given.item_ids, strict=True))
    wanted = tuple(named)
    answer = await make_list(
        server, given.user_id, given.model, len(wanted), given.at, items=wanted, explain=given.explain
    )
    unknown: list[OuterId] = []
    if len(answer.item_ids) < len(named):
        ranked = set(answer.item_ids)
        unknown = [server.schema.ids.shown(outer) for item_id, outer in named.items() if item_id not in ranked]
    if not given.explain and given.fields is None:
        return server.pieces.encode(answer, None, unknown)
    fields = msgspec.structs.asdict(answer_of(server, answer, None, names, given.explain))
    return encode_answer(RankedList(**fields, unknown=unknown))
