"""The catalogue to look through: GET /v1/items, /v1/genres and /v1/items/{id}/similar."""

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query

from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.http.problems import Problem
from online.routes.item_answers import ItemOutline, Popularity, outline
from online.routes.parameters import IdPath, item_row
from online.server import Server, server_of
from online.stores.catalogue_search import WORDS, CatalogueQuery, Sort, read_cursor, words_of, write_cursor
from online.stores.item_store import ItemStore

router = APIRouter()


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

    item_id: int
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
    if genre is not None and genre not in server.items.genres:
        raise Problem(404, f"no genre {genre!r}; there are: {', '.join(server.items.genres)}")
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
        **outline(items.item_at(row)),
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
        SimilarItem(**outline(server.items.item_at(other)), weight=round(weight, 5))
        for other, weight in _near(server, by, row, size)
        if other != row
    ]
    return JsonResponse(SimilarItems(item_id=item_id, by=by, kinds=kinds, similar=near))


def _near(server: Server, by: str, row: int, size: int) -> list[tuple[int, float]]:
    """(row, weight) of the nearest, best first."""
    relations = server.items.index.kinds.get(by)
    if relations is None:
        return server.vectors.similar(by, row, size)
    others, weights = relations.near(row)
    return list(zip(others[:size].tolist(), weights[:size].tolist(), strict=True))
