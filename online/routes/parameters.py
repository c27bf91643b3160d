"""Parameters shared by several routes."""

from typing import Annotated

from fastapi import Path, Query

from features.types import MAX_ID
from online.http.problems import Problem
from online.server import Server

UserIdQuery = Annotated[int, Query(ge=0, le=MAX_ID)]
ModelQuery = Annotated[str | None, Query(max_length=64)]
IdPath = Annotated[int, Path(ge=0, le=MAX_ID)]


def item_row(server: Server, item_id: int) -> int:
    """The row of an item. Raises a 404 Problem for an unknown one."""
    row = server.items.row(item_id)
    if row is None:
        raise Problem(404, f"no item {item_id}")
    return row
