"""Figures of a walk: hit rate and NDCG with intervals, and how far one recommender is ahead of the others."""

from typing import Final

import numpy as np

from benchmarks.harness.run_report import Figure
from benchmarks.sessions.click_walk import ALL, NEW, TOP, Outcome
from features.arrays import BoolArray, DoubleArray, IntArray
from offline.evaluation.ranking_metrics import Bootstrap

NEAR: Final = 10
HR, NDCG = f"HR@{TOP}", f"NDCG@{NEAR}"
POSITIONS: Final = {"2nd": (1, 1), "3rd": (2, 2), "4th–6th": (3, 5), "later": (6, 1 << 30)}
"""Of the click in its session → positions as in `Outcome`, both included."""


def gains(ranks: IntArray) -> dict[str, DoubleArray]:
    """Hit rate at 20 and NDCG at 10 of each click, by the rank (from 0) of its item: one item is right."""
    near = np.minimum(ranks, NEAR)
    return {HR: (ranks < TOP).astype(np.float64), NDCG: np.where(ranks < NEAR, 1 / np.log2(2.0 + near), 0.0)}


def figures_of(outcome: Outcome, name: str, leader: str | None = None) -> dict[str, Figure]:
    """Returns each measure over new items and over all clicks with its 95 % interval (a bootstrap over sessions), and over all
    clicks by position. leader: beside them how much more it has, as an interval too."""
    figures: dict[str, Figure] = {}
    for which in (NEW, ALL):
        counted = outcome.clicks(which)
        figures[f"{which}: clicks"] = int(counted.sum())
        if not counted.any():
            continue
        bootstrap = Bootstrap(np.asarray(outcome.sessions, np.int64)[counted])
        mine = gains(outcome.ranks_of(name, which)[counted])
        ahead = {} if leader in (None, name) else gains(outcome.ranks_of(str(leader), which)[counted])
        for measure, values in mine.items():
            figures |= _interval(bootstrap, f"{which}: {measure}", values)
            if ahead:
                figures |= _interval(bootstrap, f"{which}: {measure}, {leader} ahead", ahead[measure] - values)
    return figures | _by_position(outcome, name)


def _interval(bootstrap: Bootstrap, label: str, values: DoubleArray) -> dict[str, Figure]:
    found = bootstrap.measure(values)
    return {label: round(found.mean, 4), f"{label}, from": round(found.low, 4), f"{label}, to": round(found.high, 4)}


def _by_position(outcome: Outcome, name: str) -> dict[str, Figure]:
    positions, hits = np.asarray(outcome.positions, np.int64), gains(outcome.ranks_of(name, ALL))[HR]
    figures: dict[str, Figure] = {}
    for label, (first, last) in POSITIONS.items():
        chosen: BoolArray = (positions >= first) & (positions <= last)
        figures[f"all: {HR}, {label} click"] = round(float(hits[chosen].mean()), 4) if chosen.any() else None
    return figures


def summary(outcome: Outcome) -> str:
    """Returns what was walked, in a line."""
    clicks, sessions = len(outcome), len(set(outcome.sessions))
    new, unseen = sum(outcome.new), sum(outcome.unseen)
    return f"{clicks} clicks of {sessions} sessions, {new} on items new to their user, {unseen} on items new to all"
