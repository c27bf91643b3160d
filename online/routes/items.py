"""Items of the catalogue, read: GET /v1/items, /v1/items/{id}, /v1/items/{id}/similar, /v1/genres and /v1/facets/{name}."""

from dataclasses import asdict
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query

from features.errors import Unavailable
from features.ids import OuterId
from online.http.json_response import ItemOutline, JsonResponse
from online.http.openapi import contract
from online.http.problems import Problem
from online.recommend.hidden_by_policy import drop_hidden
from online.routes.parameters import (
    FacetQuery,
    FieldsQuery,
    GenreQuery,
    IdPath,
    RangeQuery,
    item_row,
    read_fields,
    read_filters,
    read_ranges,
    split_fields,
)
from online.server import Server, server_of
from online.stores.catalogue_search import WORDS, CatalogueQuery, Sort, read_cursor, words_of, write_cursor
from online.stores.facets import MAX_VALUES, FacetCounts

router = APIRouter()


class Popularity(msgspec.Struct, frozen=True):
    """Events of an item, halved every day and every 14 days."""

    day: float
    weeks: float


class CatalogueItem(ItemOutline, frozen=True, kw_only=True):
    """An item on a page of the catalogue."""

    ratings: int
    mean_rating: float | None
    popularity: Popularity


class ItemPage(msgspec.Struct, frozen=True):
    """A page of the catalogue; `next`: the cursor of the next one, null at the end."""

    items: list[CatalogueItem]
    next: str | None


class ValueCount(msgspec.Struct, frozen=True):
    """A value of a facet, and how many items have it."""

    name: str
    items: int


class Genres(msgspec.Struct, frozen=True):
    """The labels: with films, the genres."""

    genres: list[ValueCount]


class FacetValues(msgspec.Struct, frozen=True):
    """Values of a facet, those of the most items first; `total`: how many there are in all."""

    facet: str
    total: int
    values: list[ValueCount]


class SimilarItem(ItemOutline, frozen=True, kw_only=True):
    """An item near another; `weight`: how near, greater is nearer."""

    weight: float


class SimilarItems(msgspec.Struct, frozen=True, kw_only=True):
    """Items near one, best first; `kinds`: all that `by` may name."""

    item_id: OuterId
    by: str
    kinds: list[str]
    similar: list[SimilarItem]


@router.get("/v1/items")
@contract(ItemPage, problems=(404, 503))
async def get_items(
    server: Annotated[Server, Depends(server_of)],
    genre: GenreQuery = None,
    facet: FacetQuery = None,
    range_: RangeQuery = None,
    decade: Annotated[int | None, Query(ge=1800, le=9990, multiple_of=10)] = None,
    q: Annotated[str, Query(max_length=100)] = "",
    sort: Sort = "popular",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    unlisted: bool = False,
    fields: FieldsQuery = None,
) -> JsonResponse:
    """A page of the catalogue. `q`: each word begins a word of the title. `trending` is what has more events in the last day than
    usual. `facet`, `range`, `genre` and `fields` as for a list. `unlisted=1`: also what is not available, has expired, or is
    hidden by the policy. `next` is the cursor of the next page, null at the end."""
    filters, names = read_filters(server, facet, genre), read_fields(server, split_fields(fields))
    ranges = read_ranges(server, range_)
    after = None
    if cursor is not None:
        try:
            after = read_cursor(cursor)
        except ValueError as error:
            raise Problem(422, f"cursor: expected one that a page gave as `next`, got {cursor[:60]!r}") from error
        if after.sort != sort or isinstance(after.value, str) != (sort == "title"):
            raise Problem(422, f"cursor: expected one of sort={sort}, got one of sort={after.sort}")
    now = server.clock.now()
    drop = partial(drop_hidden, items=server.items, hide=server.serving.value.control.hide)
    wanted = CatalogueQuery(sort, filters, decade, words_of(q)[:WORDS] if q.strip() else None, unlisted, ranges, drop)
    try:
        rows, last = await server.search.search(wanted, after, limit, now)
    except Unavailable as error:
        raise Problem(503, str(error), {"Retry-After": "5"}) from error
    items = [
        _catalogue_item(server, row, popularity, names)
        for row, popularity in zip(rows, server.items.popularity(rows, now), strict=True)
    ]
    return JsonResponse(ItemPage(items, None if last is None else write_cursor(last)))


def _catalogue_item(server: Server, row: int, popularity: tuple[float, float], names: tuple[str, ...]) -> CatalogueItem:
    totals = server.items.totals(row)
    return CatalogueItem(
        **server.items.outline(server.items.item_at(row), names),
        ratings=totals.ratings,
        mean_rating=totals.mean_rating,
        popularity=Popularity(*popularity),
    )


@router.get("/v1/genres")
@contract(Genres, problems=(503,))
async def get_genres(server: Annotated[Server, Depends(server_of)]) -> JsonResponse:
    """The labels by name, and how many items each has: with films, the genres. At most 1,000."""
    first = server.items.attributes.labels
    counts = [] if first is None else (await _counts(server, first)).by_name
    return JsonResponse(Genres([ValueCount(*each) for each in counts]))


@router.get("/v1/facets/{name}")
@contract(FacetValues, problems=(404, 503))
async def get_facet(
    server: Annotated[Server, Depends(server_of)],
    name: Annotated[str, Path(max_length=64)],
    limit: Annotated[int, Query(ge=1, le=MAX_VALUES)] = 100,
) -> JsonResponse:
    """The values of a facet, and how many items each has, the most first. 404 for a facet that the schema does not have."""
    if name not in server.items.facets.by_name:
        raise Problem(404, f"no facet {name!r}; there are: {', '.join(server.items.facets.by_name) or 'none'}")
    counts = await _counts(server, name)
    return JsonResponse(FacetValues(name, counts.total, [ValueCount(*each) for each in counts.largest[:limit]]))


async def _counts(server: Server, facet: str) -> FacetCounts:
    try:
        return await server.search.counts(facet)
    except Unavailable as error:
        raise Problem(503, str(error), {"Retry-After": "5"}) from error


@router.get("/v1/items/{item_id}/similar")
@contract(SimilarItems, problems=(404,))
async def get_similar(
    server: Annotated[Server, Depends(server_of)],
    item_id: IdPath,
    by: Annotated[str, Query(max_length=64)] = "similar",
    size: Annotated[int, Query(ge=1, le=100)] = 20,
    fields: FieldsQuery = None,
) -> JsonResponse:
    """Items near this one, best first: `similar` liked one after another, `ease` by a linear model of what is liked, `together`
    liked by the same people lately; and by each kind of vectors that there is (their cosine). `kinds` names all of them."""
    row, names = item_row(server, item_id), read_fields(server, split_fields(fields))
    kinds = [*server.items.index.kinds, *server.vectors.kinds()]
    if by not in kinds:
        raise Problem(404, f"by: expected one of {', '.join(kinds)}, got {by!r}")
    near = [
        SimilarItem(**server.items.outline(server.items.item_at(other), names), weight=round(weight, 5))
        for other, weight in _near(server, by, row, size)
    ]
    shown = server.items.shown(server.items.item_at(row).item_id)
    return JsonResponse(SimilarItems(item_id=shown, by=by, kinds=kinds, similar=near))


def _near(server: Server, by: str, row: int, size: int) -> list[tuple[int, float]]:
    """(row, weight) of the nearest that lists may show, best first."""
    allowed = server.items.showable(server.clock.now())
    drop_hidden(allowed, server.items, server.serving.value.control.hide)
    allowed[row] = False
    relations = server.items.index.kinds.get(by)
    if relations is None:
        return server.vectors.similar(by, row, size, allowed)
    others, weights = relations.near(row)
    shown = allowed[others]
    return list(zip(others[shown][:size].tolist(), weights[shown][:size].tolist(), strict=True))


class ItemAnswer(ItemOutline, frozen=True, kw_only=True):
    """An item and its live features. expires: ms, null for never; mean_rating, rating_spread: stars, null without ratings."""

    available: bool
    expires: int | None
    ratings: int
    mean_rating: float | None
    rating_spread: float | None
    positives: int
    events: int
    first_event_ts: int | None
    popularity: Popularity


@router.get("/v1/items/{item_id}")
@contract(ItemAnswer, problems=(404,))
async def get_item(
    server: Annotated[Server, Depends(server_of)], item_id: IdPath, fields: FieldsQuery = None
) -> JsonResponse:
    """An item of the catalogue with all its attributes, or those that `fields` names, and its live features."""
    row = item_row(server, item_id)
    item, attributes = server.items.item_at(row), server.items.attributes
    names = list(attributes.declared) if fields is None else read_fields(server, split_fields(fields))
    totals = server.items.totals(row)
    (popularity,) = server.items.popularity([row], server.clock.now())
    return JsonResponse(
        ItemAnswer(
            **server.items.outline(item, names),
            available=item.available,
            expires=item.expires or None,
            **asdict(totals),
            popularity=Popularity(*popularity),
        )
    )
