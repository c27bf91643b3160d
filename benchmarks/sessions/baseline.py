"""What the baselines of click sessions share: their protocol, and popularity, which fills their lists up."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from benchmarks.sessions.click_log import Click


@dataclass(frozen=True)
class Context:
    """What is known when a list is made. items: those clicked in the session so far, oldest first, at least one; count: how many
    items are wanted."""

    user: int
    session: int
    items: tuple[int, ...]
    ts: int
    count: int


class Recommender(Protocol):
    """Gives lists, and learns from clicks. name: as it stands in tables."""

    name: str

    def ranking(self, context: Context) -> list[int]:
        """At most `count` items, best first, each once; those of the session may be among them."""

    def observe(self, click: Click) -> None:
        """Learn from a click, which comes after all that were observed before."""


class Popularity:
    """Items by the number of their clicks. The order is kept as clicks come, at a constant cost for each."""

    def __init__(self, name: str = "popular") -> None:
        self.name = name
        self._order: list[int] = []
        self._rank: dict[int, int] = {}
        self._clicks: dict[int, int] = {}
        self._first: dict[int, int] = {}
        """Number of clicks → the first rank of the items that have so many."""

    def observe(self, click: Click) -> None:
        item = click.item
        if item not in self._rank:
            self._first.setdefault(0, len(self._order))
            self._rank[item], self._clicks[item] = len(self._order), 0
            self._order.append(item)
        clicks, rank = self._clicks[item], self._rank[item]
        first = self._first[clicks]
        other = self._order[first]
        self._order[first], self._order[rank] = item, other
        self._rank[item], self._rank[other] = first, rank
        self._clicks[item] = clicks + 1
        self._first.setdefault(clicks + 1, first)
        behind = first + 1
        if behind < len(self._order) and self._clicks[self._order[behind]] == clicks:
            self._first[clicks] = behind
        else:
            del self._first[clicks]

    def ranking(self, context: Context) -> list[int]:
        return self._order[: context.count]

    def filled(self, scores: Mapping[int, float], count: int) -> list[int]:
        """Returns `count` items: those with a score, the highest first, ties by number; then the others by popularity."""
        best = heapq.nsmallest(count, scores, key=lambda item: (-scores[item], item))
        for item in self._order:
            if len(best) >= count:
                break
            if item not in scores:
                best.append(item)
        return best
