"""Parameters shared by several routes, and how the ids of a request are read."""

from collections.abc import Iterable
from typing import Annotated, Final
from urllib.parse import unquote

from fastapi import Path, Query

from features.errors import BadInput
from features.ids import MAX_LENGTH, OuterId
from features.types import ItemId, UserId
from online.http.problems import Problem
from online.server import Server

UserIdQuery = Annotated[str, Query(min_length=1, max_length=MAX_LENGTH)]
ModelQuery = Annotated[str | None, Query(max_length=64)]
IdPath = Annotated[str, Path(min_length=1, max_length=3 * MAX_LENGTH)]
"""An id in a path, still percent-encoded as far as it holds a slash (`online.http.slashes`)."""


MAX_NAMED: Final = 40
"""Genres that a message names at most."""


def check_genre(server: Server, name: str) -> None:
    """Raise a 404 Problem for a genre that no item has."""
    if not server.items.has_genre(name):
        known = list(server.items.count_by_genre())
        more = f" and {len(known) - MAX_NAMED} more" if len(known) > MAX_NAMED else ""
        raise Problem(404, f"no genre {name!r}; there are: {', '.join(known[:MAX_NAMED])}{more}")


def read_id(server: Server, where: str, outer: OuterId) -> tuple[UserId | ItemId, str]:
    """(the number inside, the id outside or "" where it is that number) of a request's id. Raises a 422 Problem for what is no
    id."""
    try:
        number = server.schema.ids.inside(outer)
    except BadInput as error:
        fault = {"field": where, "expected": error.expected, "received": error.received[:200]}
        raise Problem(422, f"{where}: expected {error.expected}, got {error.received[:200]}", errors=[fault]) from error
    return number, str(outer) if number < 0 else ""


def read_ids(server: Server, where: str, given: Iterable[OuterId]) -> list[UserId | ItemId]:
    """The numbers inside. Raises a 422 Problem for what is no id."""
    return [read_id(server, where, outer)[0] for outer in given]


def read_path_id(server: Server, where: str, text: str) -> tuple[UserId | ItemId, str]:
    """As `read_id`, of an id in a path."""
    return read_id(server, where, unquote(text))


def item_row(server: Server, text: str) -> int:
    """The row of the item with an id in a path. Raises a 404 Problem for an unknown one, 422 for what is no id."""
    row = server.items.row(read_path_id(server, "item_id", text)[0])
    if row is None:
        raise Problem(404, f"no item {unquote(text)}")
    return row
