"""The catalogue to look through: GET /v1/items, /v1/genres and /v1/items/{id}/similar."""

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query

from features.inputs import popularity
from online.listing import WORDS, Sort, Wanted, read_cursor, words_of, write_cursor
from online.problems import Problem
from online.routes.parameters import IdPath, item_row
from online.state import Server, server_of

router = APIRouter()


def outline(server: Server, row: int) -> dict[str, Any]:
    """What every list of items says of one."""
    item_id = int(server.items.columns.ids[row])
    item = server.items.catalogue.get(item_id)
    return {
        "item_id": item_id,
        "title": server.items.title_of(item_id),
        "genres": item.genres if item else (),
        "year": (item.year or None) if item else None,
    }


@router.get("/v1/items")
async def get_items(
    server: Annotated[Server, Depends(server_of)],
    genre: Annotated[str | None, Query(max_length=64)] = None,
    decade: Annotated[int | None, Query(ge=1800, le=9990, multiple_of=10)] = None,
    q: Annotated[str, Query(max_length=100)] = "",
    sort: Sort = "popular",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> dict[str, Any]:
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
    wanted = Wanted(sort, genre, decade, words_of(q)[:WORDS])
    async with server.listing.turn:  # in a thread: a search reads every title, and lists are made meanwhile
        rows, last = await asyncio.to_thread(server.listing.page, wanted, after, limit, now)
    columns, at = server.items.columns, np.asarray(rows, np.int64)
    day, weeks = (popularity(columns, at, now, half_life).tolist() for half_life in (1.0, 14.0))
    items = [
        outline(server, row)
        | {
            "ratings": int(columns.sums[row, 0]),
            "mean_rating": round(columns.sums[row, 1] / columns.sums[row, 0], 3) if columns.sums[row, 0] else None,
            "popularity": {"day": day[place], "weeks": weeks[place]},
        }
        for place, row in enumerate(rows)
    ]
    return {"items": items, "next": None if last is None else write_cursor(last)}


@router.get("/v1/genres")
async def get_genres(server: Annotated[Server, Depends(server_of)]) -> dict[str, Any]:
    """The catalogue's genres, and how many items each has."""
    counts = (server.items.columns.genres[: len(server.items)] > 0).sum(axis=0).tolist()
    return {"genres": [{"name": name, "items": count} for name, count in zip(server.items.genres, counts, strict=True)]}


@router.get("/v1/items/{item_id}/similar")
async def get_similar(
    server: Annotated[Server, Depends(server_of)],
    item_id: IdPath,
    by: Annotated[str, Query(max_length=64)] = "similar",
    size: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Items near this one, best first: `similar` liked one after another, `ease` by a linear model of what is liked, `together`
    liked by the same people lately; and by each kind of vectors that there is (their cosine). `kinds` names all of them."""
    row = item_row(server, item_id)
    kinds = [*server.items.index.kinds, *server.vectors.kinds()]
    if by not in kinds:
        raise Problem(404, f"by: expected one of {', '.join(kinds)}, got {by!r}")
    near = [
        outline(server, other) | {"weight": round(weight, 5)}
        for other, weight in _near(server, by, row, size)
        if other != row
    ]
    return {"item_id": item_id, "by": by, "kinds": kinds, "similar": near}


def _near(server: Server, by: str, row: int, size: int) -> list[tuple[int, float]]:
    """(row, weight) of the nearest, best first."""
    relations = server.items.index.kinds.get(by)
    if relations is None:
        return server.vectors.similar(by, row, size)
    others, weights = relations.near(row)
    return list(zip(others[:size].tolist(), weights[:size].tolist(), strict=True))
