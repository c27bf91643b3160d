"""The logs that properties are tried with must hit what they are about, or the properties say nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from features.fold.impressions import fold_list, list_memory
from features.fold.item import fold_item
from features.fold.state import DAYS, RECENT, SEQUENCE, TASTES, ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user, undone_item
from features.types import FORGET_USER, UNDO, Event
from features.verdicts import DUPLICATE
from tests.features.strategies import CATALOGUE, USER, co_visits, contributions, logs, slates
from tests.schemas import MOVIES

EXAMPLES = 100
SEEDS = 4
"""Hypothesis draws by the constants of all modules that are loaded, so what one seed draws differs from run to run."""


def examples(strategy: st.SearchStrategy[Any]) -> list[Any]:
    """As many as a property sees at least, by each of several seeds."""
    met: list[Any] = []

    @settings(max_examples=EXAMPLES, phases=[Phase.generate], database=None)
    @given(strategy)
    def collect(one: Any) -> None:
        met.append(one)

    for number in range(SEEDS):
        seed(number)(collect)()
    return met


def share(met: list[Any], hits: Callable[[Any], bool]) -> float:
    return sum(map(hits, met)) / len(met)


def fold(log: list[Event]) -> tuple[UserState, int, int]:
    """(state, events taken back, duplicates)."""
    state, taken, again = UserState(UserFeatures(USER)), 0, 0
    for n, event in enumerate(log, start=1):
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        verdict, added = fold_user(state, event, None if item_id is None else CATALOGUE.get(item_id), n, MOVIES)
        taken += added is not None and added.sign < 0
        again += verdict == DUPLICATE
    return state, taken, again


Drawn = list[tuple[list[Event], tuple[UserState, int, int]]]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Logs, and what `fold` makes of each."""
    return [(log, fold(log)) for log in examples(logs())]


def test_logs_are_long_and_take_something_back_and_come_again(drawn: Drawn) -> None:
    assert share(drawn, lambda each: len(each[0]) > 30) >= 0.4
    assert share(drawn, lambda each: each[1][1] >= 1) >= 0.3
    assert share(drawn, lambda each: each[1][1] >= 3) >= 0.3
    assert share(drawn, lambda each: each[1][2] >= 1) >= 0.3
    assert share(drawn, lambda each: any(event.kind == FORGET_USER for event in each[0])) >= 0.1


def test_logs_reach_the_bounds_of_a_user(drawn: Drawn) -> None:
    assert share(drawn, lambda each: len(each[1][0].features.recent) == RECENT) >= 0.2
    assert share(drawn, lambda each: len(each[1][0].features.tastes) == TASTES) >= 0.2
    long_ones = examples(logs(150, 250))
    assert share(long_ones, lambda log: len(fold(log)[0].features.sequence) == SEQUENCE) >= 0.2


def test_contributions_fill_all_buckets_and_are_taken_back() -> None:
    def buckets(given_ones: Any) -> int:
        features = ItemFeatures(3)
        for each in given_ones:
            fold_item(features, each, MOVIES)
        return len(features.days)

    assert share(examples(contributions()), lambda each: any(one.sign < 0 for one in each)) >= 0.3
    assert share(examples(contributions(100, 200)), lambda each: buckets(each) == DAYS) >= 0.2


def test_lists_come_again() -> None:
    def again(lists: Any) -> bool:
        memory = list_memory([])
        return any(fold_list(memory, each)[0] == DUPLICATE for each in lists)

    assert share(examples(slates()), again) >= 0.3


def test_co_visits_are_more_than_the_smaller_limits_keep() -> None:
    assert share(examples(co_visits()), lambda each: len(each) > 8) >= 0.5
