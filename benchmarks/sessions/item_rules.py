"""Rules from one item to others: I. Kamehkhosh, D. Jannach, M. Ludewig, A Comparison of Frequent Pattern Techniques and a Deep
Learning Method for Session-Based Recommendation, RecTemp at RecSys 2017. Each rule list is cut to its RULES strongest."""

import heapq
from typing import Final

from benchmarks.sessions.baseline import Context, Popularity
from benchmarks.sessions.click_log import Click

RULES: Final = 20
STEPS: Final = 10
"""As in the authors' own library (session-rec)."""


class _Rules:
    """Strengths of rules by their left item; the list goes by the session's newest item alone."""

    def __init__(self, popularity: Popularity, name: str, rules: int = RULES) -> None:
        self.name = name
        self._popularity, self._limit = popularity, rules
        self._rules: dict[int, dict[int, float]] = {}
        self._clicked: dict[int, list[int]] = {}

    def ranking(self, context: Context) -> list[int]:
        return self._popularity.filled(self.scores(context.items[-1]), context.count)

    def scores(self, item: int) -> dict[int, float]:
        """Returns the strongest rules of an item; of equal ones the older."""
        rules = self._rules.get(item, {})
        return {other: rules[other] for other in heapq.nlargest(self._limit, rules, key=rules.__getitem__)}

    def _add(self, left: int, right: int, strength: float) -> None:
        rules = self._rules.setdefault(left, {})
        rules[right] = rules.get(right, 0.0) + strength


class SequentialRules(_Rules):
    """SR: an item's strength after another is the sum, over all sessions, of 1 / distance, up to STEPS clicks apart."""

    def __init__(self, popularity: Popularity, name: str = "SR") -> None:
        super().__init__(popularity, name)

    def observe(self, click: Click) -> None:
        clicked = self._clicked.setdefault(click.session, [])
        for distance, earlier in enumerate(reversed(clicked), 1):
            self._add(earlier, click.item, 1 / distance)
        clicked.append(click.item)
        del clicked[:-STEPS]


class AssociationRules(_Rules):
    """AR: how often two items were clicked in one session, in either order: co-visits."""

    def __init__(self, popularity: Popularity, name: str = "AR") -> None:
        super().__init__(popularity, name)

    def observe(self, click: Click) -> None:
        clicked = self._clicked.setdefault(click.session, [])
        for earlier in clicked:
            self._add(click.item, earlier, 1.0)
            self._add(earlier, click.item, 1.0)
        clicked.append(click.item)
