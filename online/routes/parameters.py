"""Parameters shared by several routes, and how the ids of a request are read."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from fastapi import Path, Query
from msgspec import Meta

from features.ids import MAX_LENGTH, OuterId
from features.schema.checked_fields import Fields
from features.types import ItemId, UserId
from online.http.openapi import CONTEXT
from online.http.problems import Problem, field_faults
from online.server import Server
from online.stores.facets import Filter
from online.stores.number_columns import Range

MAX_FILTERS: Final = 20
MAX_FIELDS: Final = 40
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")
UserIdQuery = Annotated[str, Query(min_length=1, max_length=MAX_LENGTH)]
ModelQuery = Annotated[str | None, Query(max_length=64)]
GenreQuery = Annotated[str | None, Query(max_length=200)]
FacetQuery = Annotated[list[str] | None, Query(max_length=MAX_FILTERS)]
RangeQuery = Annotated[list[str] | None, Query(alias="range", max_length=MAX_FILTERS)]
FieldsQuery = Annotated[str | None, Query(max_length=2_000)]
FacetFilters = Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=MAX_FILTERS)]
RangeFilters = FacetFilters
FieldNames = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=MAX_FIELDS)]
IdPath = Annotated[str, Path(min_length=1, max_length=3 * MAX_LENGTH)]
"""An id in a path, still percent-encoded as far as it holds a slash (`online.http.slashes`)."""


def read_id(server: Server, where: str, outer: OuterId) -> tuple[UserId | ItemId, str]:
    """(the number inside, the id outside or "" where it is that number) of a request's id. Raises a 422 Problem for what is no
    id."""
    with field_faults(where):
        number = server.schema.ids.inside(outer)
    return number, str(outer) if number < 0 else ""


def read_ids(server: Server, where: str, given: Iterable[OuterId]) -> list[UserId | ItemId]:
    """The numbers inside. Raises a 422 Problem for what is no id."""
    inside = server.schema.ids.inside
    with field_faults(where):
        return [inside(outer) for outer in given]


def read_path_id(server: Server, where: str, text: str) -> tuple[UserId | ItemId, str]:
    """As `read_id`, of an id in a path."""
    return read_id(server, where, unquote(text))


def item_row(server: Server, text: str) -> int:
    """The row of the item with an id in a path. Raises a 404 Problem for an unknown or deleted one, 422 for what is no id."""
    number, outer = read_path_id(server, "item_id", text)
    row = server.items.row(number)
    if row is None:
        raise no_item(number, outer)
    return row


def no_item(number: ItemId, outer: str) -> Problem:
    return Problem(404, f"no item {outer or number}")


def read_filters(server: Server, facets: Sequence[str] | None, genre: str | None = None) -> tuple[Filter, ...]:
    """The filters "facet:value"; `genre` is a label. Raises a 422 Problem for another text, 404 for a
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


def read_ranges(server: Server, texts: Sequence[str] | None) -> tuple[Range, ...]:
    """The ranges "price:10..50", "price:10.." and "price:..50". Raises a 422 Problem for another text, or an attribute that is
    neither number nor time."""
    ranges = []
    for text in texts or ():
        name, colon, rest = text.partition(":")
        low, dots, high = rest.partition("..")
        if not (colon and dots and (low or high)):
            raise Problem(422, f"range: expected NAME:LOW..HIGH, one of the two may be left out, got {text[:60]!r}")
        numbers = server.items.numbers
        if name not in numbers.names:
            expected = f"one of {', '.join(numbers.names)}" if numbers.names else "no range: items have no numbers"
            raise Problem(422, f"range: expected {expected}, got {name[:60]!r}")
        ranges.append(Range(name, *(_bound(each, numbers.is_whole(name)) if each else None for each in (low, high))))
    return tuple(ranges)


def _bound(text: str, whole: bool) -> int | float:
    if whole and not _WHOLE.fullmatch(text):
        raise Problem(422, f"range: expected whole milliseconds since 1970, got {text[:60]!r}")
    if not _NUMBER.fullmatch(text):
        raise Problem(422, f"range: expected a number, got {text[:60]!r}")
    return int(text) if whole else float(text)


def read_context(server: Server, given: Any, where: str = "context") -> dict[str, Any]:
    """The context of a request, checked by the schema. Raises a 422 Problem that names the field."""
    with field_faults():
        return Fields.read(server.schema.context.canonical(given, where))


def read_context_query(server: Server, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The context in the parameters `context.NAME=value` of a query. Raises as `read_context`."""
    given: dict[str, Any] = {}
    declared = server.schema.context.declared
    for key, text in query:
        if not key.startswith(CONTEXT):
            continue
        name = key.removeprefix(CONTEXT)
        given[name] = text
        if name in declared and declared[name].type != "facet":
            with suppress(msgspec.DecodeError):  # what is no number or flag stays a string, and is refused as one
                given[name] = msgspec.json.decode(text, type=int | float | bool)
    return read_context(server, given)


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
