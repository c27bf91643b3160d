"""Models that learn elsewhere are asked what the walk asks, and their lists come where it asks."""

from collections.abc import Sequence

import numpy as np

from benchmarks.sessions.click_walk import ALL, NEW, NO_RANK, Recommenders, walk
from benchmarks.sessions.sequence_models import MadeLists, protocol
from features.arrays import IntArray, RealArray
from offline.evaluation.peers.interactions import InteractionLog, answer_queries, learnable
from tests.benchmarks.sessions.test_click_walk import LOG

START = 20


def test_a_library_learns_the_looks_of_before_and_is_asked_for_each_later_one() -> None:
    rows, prefixes = protocol(LOG, START, None)
    assert rows.first == 2  # the purchase is no look, and lies later
    assert len(rows.items) == len(LOG) - 1
    assert [rows.items[number] for number in rows.queries] == [1, 4, 3]
    assert prefixes == [(2, 1), (2, 2), (3, 1)]


def test_no_more_sessions_are_asked_for_than_are_walked() -> None:
    assert protocol(LOG, START, 1)[1] == [(2, 1), (2, 2)]


def test_its_lists_are_those_of_the_walk() -> None:
    rows, prefixes = protocol(LOG, START, None)
    lists = answer_queries(rows, learnable(rows, True), True, Second(), top=2)  # of two items that it learned, 1 and 2
    assert lists.tolist() == [[2, 1]] * 3
    made = MadeLists("made", dict(zip(prefixes, lists.tolist(), strict=True)))
    outcome = walk(LOG, START, Recommenders(static=[made]))
    assert outcome.ranks["made", ALL] == [1, NO_RANK, NO_RANK]
    assert outcome.ranks["made", NEW] == [NO_RANK] * 3


class Second:
    """Likes the second item most."""

    def learn(self, log: InteractionLog) -> None: ...

    def score(self, histories: Sequence[IntArray]) -> RealArray:
        return np.tile([1.0, 2.0], (len(histories), 1))
