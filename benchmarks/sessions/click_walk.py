"""The walk: later clicks in the order of time, each predicted by every recommender before it is shown to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from benchmarks.sessions.baseline import Context, Recommender
from benchmarks.sessions.click_log import CLICK, Click, ClickLog
from features.arrays import BoolArray, IntArray

TOP: Final = 20
"""Items of a list."""
VIEWS: Final = frozenset({CLICK, "view"})
"""Kinds of rows that are predicted, and that baselines learn from, as in their papers; others are shown to Martlet alone."""
NO_RANK: Final = 1 << 30
ALL, NEW = "all", "new"


@dataclass
class Outcome:
    """One entry for each predicted click.

    sessions   number of its session
    positions  of the click in its session, from 1: 1 is the second click
    new        whether its user had no row with the item before
    unseen     whether nobody had
    ranks      by name, ALL or NEW: the item's rank in the list, from 0, NO_RANK where the list lacks it; for NEW the list without
               items that the user had before
    """

    sessions: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    new: list[bool] = field(default_factory=list)
    unseen: list[bool] = field(default_factory=list)
    ranks: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sessions)

    def clicks(self, which: str) -> BoolArray:
        """[Q] which clicks count for ALL or NEW."""
        return np.asarray(self.new, bool) if which == NEW else np.ones(len(self), bool)

    def ranks_of(self, name: str, which: str) -> IntArray:
        return np.asarray(self.ranks[name, which], np.int64)


@dataclass(frozen=True)
class Recommenders:
    """live: learn from every click; static: only from those before the walk; product: learns from rows of any kind."""

    live: Sequence[Recommender] = ()
    static: Sequence[Recommender] = ()
    product: Sequence[Recommender] = ()

    def everyone(self) -> tuple[Recommender, ...]:
        return (*self.product, *self.live, *self.static)


def walk(
    log: ClickLog,
    start: int,
    recommenders: Recommenders,
    sessions: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Predict the views of sessions that begin at `start` (ms) or later but for the first of each, in the order of time.

    The baselines learn what lies before; a product has learned it already. sessions: at most so many, the first ones; the walk
    ends with them, and what others do meanwhile is shown to all and not predicted. progress: called with the number of rows done.
    """
    outcome = Outcome(ranks={(each.name, which): [] for each in recommenders.everyone() for which in (ALL, NEW)})
    known: dict[int, set[int]] = {}
    so_far: dict[int, list[int]] = {}
    anybody: set[int] = set()
    chosen, end = _chosen(log, start, sessions)
    for number, click in enumerate(log):
        if number >= end:
            break
        mine, view = known.setdefault(click.user, set()), click.kind in VIEWS
        session = so_far.get(click.session)
        if session and view and click.session in chosen:
            _predict(outcome, recommenders, click, session, mine)
            outcome.unseen.append(click.item not in anybody)
        _observe(recommenders, click, view, click.ts >= start)
        mine.add(click.item)
        anybody.add(click.item)
        so_far.setdefault(click.session, []).extend([click.item] if view else [])
        progress(number + 1)
    return outcome


def _chosen(log: ClickLog, start: int, sessions: int | None) -> tuple[set[int], int]:
    """The first `sessions` sessions that begin at `start` or later, and the number of rows up to their last one."""
    chosen: set[int] = set()
    earlier: set[int] = set()
    end = 0
    for number, click in enumerate(log):
        if click.ts < start:
            earlier.add(click.session)
        elif click.session not in earlier and (sessions is None or len(chosen) < sessions):
            chosen.add(click.session)
        if click.session in chosen:
            end = number + 1
    return chosen, end


def _predict(
    outcome: Outcome, recommenders: Recommenders, click: Click, session: Sequence[int], mine: set[int]
) -> None:
    context = Context(click.user, click.session, tuple(session), click.ts, TOP + len(mine))
    new = click.item not in mine
    outcome.sessions.append(click.session)
    outcome.positions.append(len(session))
    outcome.new.append(new)
    for each in recommenders.everyone():
        ranking = each.ranking(context)
        outcome.ranks[each.name, ALL].append(_rank(ranking, click.item))
        others = [item for item in ranking if item not in mine]
        outcome.ranks[each.name, NEW].append(_rank(others, click.item) if new else NO_RANK)


def _rank(ranking: Sequence[int], item: int) -> int:
    return ranking.index(item) if item in ranking[:TOP] else NO_RANK


def _observe(recommenders: Recommenders, click: Click, view: bool, walking: bool) -> None:
    if walking:
        for each in recommenders.product:
            each.observe(click)
    if view:
        for each in recommenders.live:
            each.observe(click)
        if not walking:
            for each in recommenders.static:
                each.observe(click)
