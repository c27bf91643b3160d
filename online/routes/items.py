"""Items of the catalogue: GET and PUT /v1/items/{id}, GET /v1/items, /v1/genres and /v1/items/{id}/similar."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from msgspec import Meta

from features.contracts.items import ITEM_LIMIT, Genre, ItemRecord, Title
from features.errors import Unavailable
from features.ids import OuterId
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.http.problems import Problem
from online.routes.parameters import IdPath, check_genre, item_row, read_path_id
from online.server import Server, body_of, server_of
from online.stores.catalogue_search import WORDS, CatalogueQuery, Sort, read_cursor, words_of, write_cursor
from online.stores.item_store import ItemStore
from online.support.reloadable_file import UNREADABLE

router = APIRouter()


class ItemOutline(msgspec.Struct, frozen=True, kw_only=True):
    """What an item is. year: null where unknown."""

    item_id: OuterId
    title: str
    genres: tuple[str, ...]
    year: int | None


class Popularity(msgspec.Struct, frozen=True):
    """Events of an item, halved every day and every 14 days."""

    day: float
    weeks: float


def outline(items: ItemStore, row: int) -> dict[str, Any]:
    """The fields of `ItemOutline`, for a struct that adds more."""
    item = items.item_at(row)
    return {"item_id": items.shown(item.item_id), "title": item.title, "genres": item.genres, "year": item.year or None}


class CatalogueItem(ItemOutline, frozen=True, kw_only=True):
    """An item on a page of the catalogue."""

    ratings: int
    mean_rating: float | None
    popularity: Popularity


class ItemPage(msgspec.Struct, frozen=True):
    """A page of the catalogue; `next`: the cursor of the next one, null at the end."""

    items: list[CatalogueItem]
    next: str | None


class GenreCount(msgspec.Struct, frozen=True):
    """A genre, and how many items it has."""

    name: str
    items: int


class Genres(msgspec.Struct, frozen=True):
    """The catalogue's genres."""

    genres: list[GenreCount]


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
@contract(ItemPage, problems=(404,))
async def get_items(
    server: Annotated[Server, Depends(server_of)],
    genre: Annotated[str | None, Query(max_length=64)] = None,
    decade: Annotated[int | None, Query(ge=1800, le=9990, multiple_of=10)] = None,
    q: Annotated[str, Query(max_length=100)] = "",
    sort: Sort = "popular",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> JsonResponse:
    """A page of the catalogue. `q`: each word begins a word of the title. `trending` is what has more events in the last day than
    usual. `next` is the cursor of the next page, null at the end."""
    if genre is not None:
        check_genre(server, genre)
    after = None
    if cursor is not None:
        try:
            after = read_cursor(cursor)
        except ValueError as error:
            raise Problem(422, f"cursor: expected one that a page gave as `next`, got {cursor[:60]!r}") from error
        if after.sort != sort or isinstance(after.value, str) != (sort == "title"):
            raise Problem(422, f"cursor: expected one of sort={sort}, got one of sort={after.sort}")
    now = server.clock.now()
    wanted = CatalogueQuery(sort, genre, decade, words_of(q)[:WORDS])
    async with server.search.slot:  # in a thread: a search reads every title, and lists are made meanwhile
        rows, last = await asyncio.to_thread(server.search.page, wanted, after, limit, now)
    items = [
        _catalogue_item(server.items, row, popularity)
        for row, popularity in zip(rows, server.items.popularity(rows, now), strict=True)
    ]
    return JsonResponse(ItemPage(items, None if last is None else write_cursor(last)))


def _catalogue_item(items: ItemStore, row: int, popularity: tuple[float, float]) -> CatalogueItem:
    totals = items.totals(row)
    return CatalogueItem(
        **outline(items, row),
        ratings=totals.ratings,
        mean_rating=totals.mean_rating,
        popularity=Popularity(*popularity),
    )


@router.get("/v1/genres")
@contract(Genres)
async def get_genres(server: Annotated[Server, Depends(server_of)]) -> JsonResponse:
    """The catalogue's genres, and how many items each has."""
    return JsonResponse(Genres([GenreCount(*each) for each in server.items.count_by_genre().items()]))


@router.get("/v1/items/{item_id}/similar")
@contract(SimilarItems, problems=(404,))
async def get_similar(
    server: Annotated[Server, Depends(server_of)],
    item_id: IdPath,
    by: Annotated[str, Query(max_length=64)] = "similar",
    size: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JsonResponse:
    """Items near this one, best first: `similar` liked one after another, `ease` by a linear model of what is liked, `together`
    liked by the same people lately; and by each kind of vectors that there is (their cosine). `kinds` names all of them."""
    row = item_row(server, item_id)
    kinds = [*server.items.index.kinds, *server.vectors.kinds()]
    if by not in kinds:
        raise Problem(404, f"by: expected one of {', '.join(kinds)}, got {by!r}")
    near = [
        SimilarItem(**outline(server.items, other), weight=round(weight, 5))
        for other, weight in _near(server, by, row, size)
        if other != row
    ]
    return JsonResponse(SimilarItems(item_id=_shown(server, row), by=by, kinds=kinds, similar=near))


def _shown(server: Server, row: int) -> OuterId:
    return server.items.shown(server.items.item_at(row).item_id)


def _near(server: Server, by: str, row: int, size: int) -> list[tuple[int, float]]:
    """(row, weight) of the nearest, best first."""
    relations = server.items.index.kinds.get(by)
    if relations is None:
        return server.vectors.similar(by, row, size)
    others, weights = relations.near(row)
    return list(zip(others[:size].tolist(), weights[:size].tolist(), strict=True))


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
    return JsonResponse(ItemAnswer(**outline(server.items, row), **asdict(totals), popularity=Popularity(*popularity)))


class ItemTaken(msgspec.Struct, frozen=True, kw_only=True):
    """created: it is new; unknown_genres: those that no item had before."""

    item_id: OuterId
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
    `items` from now on. Genres that no item had before are named in `unknown_genres`."""
    given = read_item_body(body)
    number, outer = read_path_id(server, "item_id", item_id)
    known = server.items.row(number) is not None
    record = ItemRecord(outer or number, given.title, given.genres, given.year or 0, server.clock.now())
    unknown = [genre for genre in given.genres if not server.items.has_genre(genre)]
    try:
        await server.item_topic.publish_item(record)
    except Unavailable as error:
        raise Problem(503, str(error), {"Retry-After": "1"}) from error
    return JsonResponse(
        ItemTaken(item_id=server.schema.ids.shown(outer or number), created=not known, unknown_genres=unknown)
    )
