"""Parameters shared by several routes."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import Path, Query
from msgspec import Meta

from features.types import MAX_ID
from online.http.problems import Problem
from online.server import Server
from online.stores.facets import Filter

MAX_FILTERS: Final = 20
MAX_FIELDS: Final = 40
UserIdQuery = Annotated[int, Query(ge=0, le=MAX_ID)]
ModelQuery = Annotated[str | None, Query(max_length=64)]
GenreQuery = Annotated[str | None, Query(max_length=200)]
FacetQuery = Annotated[list[str] | None, Query(max_length=MAX_FILTERS)]
FieldsQuery = Annotated[str | None, Query(max_length=2_000)]
FacetFilters = Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=MAX_FILTERS)]
FieldNames = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=MAX_FIELDS)]
IdPath = Annotated[int, Path(ge=0, le=MAX_ID)]


def item_row(server: Server, item_id: int) -> int:
    """The row of an item. Raises a 404 Problem for an unknown or deleted one."""
    row = server.items.row(item_id)
    if row is None:
        raise Problem(404, f"no item {item_id}")
    return row


def read_filters(server: Server, facets: Sequence[str] | None, genre: str | None = None) -> tuple[Filter, ...]:
    """The filters "facet:value"; `genre` is a value of the schema's first facet. Raises a 422 Problem for another text, 404 for a
    facet or value that there is not."""
    filters = []
    for text in facets or ():
        name, colon, value = text.partition(":")
        if not colon:
            raise Problem(422, f"facet: expected FACET:VALUE, got {text[:60]!r}")
        filters.append((name, value))
    if genre is not None:
        first = server.items.attributes.labels
        if first is None:
            raise Problem(404, "no genres: the items of this home have no facet")
        filters.append((first, genre))
    for name, value in filters:
        facet = server.items.facets.by_name.get(name)
        if facet is None:
            raise Problem(404, f"no facet {name[:60]!r}; there are: {', '.join(server.items.facets.by_name) or 'none'}")
        if not len(facet.rows(value)):
            raise Problem(404, f"no item has {value[:130]!r} as {name}; GET /v1/facets/{name} says what there is")
    return tuple(filters)


def read_fields(server: Server, names: Sequence[str] | None) -> tuple[str, ...]:
    """The attributes that an answer carries: those named, else all but texts and vectors. Raises a 422 Problem for a name that
    the schema does not have."""
    attributes = server.items.attributes
    if names is None:
        return attributes.brief
    for name in names:
        if name not in attributes.declared:
            raise Problem(422, f"fields: expected {attributes.expected_names()}, got {name[:60]!r}")
    return tuple(dict.fromkeys(names))


def split_fields(text: str | None) -> list[str] | None:
    """The names in a parameter `fields`, separated by commas; None where there is none."""
    return None if text is None else [name for name in text.split(",") if name]
