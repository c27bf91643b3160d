"""Query parameters that stand twice in a request: of one that takes a single value, all but the last would be left out without a
word."""

from collections import Counter
from typing import Final

from fastapi import Request

from online.http.problems import Problem

REPEATED: Final = frozenset({"facet", "range"})
"""Parameters that take several values, each by its name."""


async def refuse_repeated(request: Request) -> None:
    """Raise a 422 Problem for a request that gives a parameter more often than it takes values."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in given.items():
        if count > 1 and name not in REPEATED:
            raise Problem(
                422, f"{name[:60]}: expected one value, got several; commas stand between ids and between fields"
            )
