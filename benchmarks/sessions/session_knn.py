"""V-SKNN, the nearest sessions: M. Ludewig, D. Jannach, Evaluation of Session-based Recommendation Algorithms, UMUAI 28, 2018."""

import heapq
from collections.abc import Sequence
from typing import Final

from benchmarks.sessions.baseline import Context, Popularity
from benchmarks.sessions.click_log import Click

NEIGHBOURS: Final = 500
SAMPLE: Final = 1000
"""With weights `div`, likeness `vec`, no weighting by rarity, and the session's items left in, as in the authors' session-rec."""


class SessionNeighbours:
    """Scores the items of the sessions that are most like the present one.

    Of the sessions that share an item with it the SAMPLE newest are compared: the shared items' positions in the present session,
    from 1, over its length, summed. Of the NEIGHBOURS most alike each adds to its items its likeness, over how many clicks ago
    the newest shared item was, from 1. A session's time is that of its last click; equal likeness goes to the newer one.
    """

    def __init__(
        self, popularity: Popularity, name: str = "V-SKNN", neighbours: int = NEIGHBOURS, sample: int = SAMPLE
    ) -> None:
        self.name = name
        self._popularity = popularity
        self._neighbours, self._sample = neighbours, sample
        self._items: dict[int, set[int]] = {}
        self._sessions: dict[int, set[int]] = {}
        self._newest: dict[int, int] = {}

    def observe(self, click: Click) -> None:
        self._items.setdefault(click.session, set()).add(click.item)
        self._sessions.setdefault(click.item, set()).add(click.session)
        self._newest[click.session] = click.ts

    def ranking(self, context: Context) -> list[int]:
        return self._popularity.filled(self.scores(context.session, context.items), context.count)

    def scores(self, session: int, items: Sequence[int]) -> dict[int, float]:
        """Returns the scores of the neighbours' items, for a session with these items, oldest first."""
        weights = {item: position / len(items) for position, item in enumerate(items, 1)}
        ago = {item: 1 + at for at, item in reversed(list(enumerate(reversed(items))))}
        scores: dict[int, float] = {}
        for likeness, _, neighbour in self._nearest(session, weights):
            theirs = self._items[neighbour]
            gain = likeness / min(ago[item] for item in weights if item in theirs)
            for item in theirs:
                scores[item] = scores.get(item, 0.0) + gain
        return scores

    def _nearest(self, session: int, weights: dict[int, float]) -> list[tuple[float, int, int]]:
        """(likeness, time, session) of the neighbours, the most alike first."""
        relevant = set[int]().union(*(self._sessions.get(item, ()) for item in weights))
        relevant.discard(session)
        newest = self._newest
        sample = heapq.nlargest(self._sample, relevant, key=lambda each: (newest[each], each))
        alike = [
            (sum(weight for item, weight in weights.items() if item in self._items[each]) / len(weights), each)
            for each in sample
        ]
        return heapq.nlargest(self._neighbours, ((likeness, newest[each], each) for likeness, each in alike))
