"""The baselines, worked by hand."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sessions.baseline import Context, Popularity
from benchmarks.sessions.click_log import CLICK, Click
from benchmarks.sessions.item_rules import AssociationRules, SequentialRules
from benchmarks.sessions.session_knn import SessionNeighbours

A, B, C, D = range(4)
PRESENT = 9


def clicks(*sessions: tuple[int, ...]) -> list[Click]:
    """The sessions one after another: number 0, 1, …, a click a second."""
    rows = [(session, item) for session, items in enumerate(sessions) for item in items]
    return [Click(session, session, item, CLICK, 1000 * at) for at, (session, item) in enumerate(rows)]


def neighbours(neighbours: int = 500, sample: int = 1000) -> SessionNeighbours:
    knn = SessionNeighbours(Popularity(), neighbours=neighbours, sample=sample)
    for click in clicks((A, B), (B, C), (C, D)):
        knn.observe(click)
    return knn


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        # a weighs 1/2, b 2/2. The first session has both: 1.5 / 2; the second b alone: 1 / 2. Both share the newest click, b.
        ((A, B), {A: 0.75, B: 1.25, C: 0.5}),
        # b weighs 1/2, a 1. The first: 1.5 / 2, by the newest click; the second .5 / 2, by the click before that: halved.
        ((B, A), {A: 0.75, B: 0.75 + 0.125, C: 0.125}),
        # Of an item clicked twice the later click counts: a weighs 3/3, b 2/3, and there are two different items.
        ((A, B, A), {A: 5 / 6, B: 5 / 6 + 1 / 6, C: 1 / 6}),
        ((D,), {C: 1.0, D: 1.0}),
        ((7,), {}),
    ],
)
def test_nearest_sessions_lend_their_items(items: tuple[int, ...], expected: dict[int, float]) -> None:
    assert neighbours().scores(PRESENT, items) == pytest.approx(expected)


def test_only_the_newest_sessions_are_compared_and_only_the_nearest_count() -> None:
    assert neighbours(sample=1).scores(PRESENT, (A, B)) == pytest.approx({B: 0.5, C: 0.5})
    assert neighbours(neighbours=1).scores(PRESENT, (A, B)) == pytest.approx({A: 0.75, B: 0.75})


def test_a_session_is_no_neighbour_of_its_own() -> None:
    assert neighbours().scores(2, (C, D)) == pytest.approx({B: 0.25 / 2, C: 0.25 / 2})


def test_a_session_that_goes_on_is_newer() -> None:
    knn = neighbours(sample=1)
    knn.observe(Click(0, 0, D, CLICK, 1_000_000))
    assert knn.scores(PRESENT, (B,)) == pytest.approx({A: 1.0, B: 1.0, D: 1.0})


def test_sequential_rules_weigh_by_distance() -> None:
    rules = SequentialRules(Popularity())
    for click in clicks((A, B, C), (A, C), (C, A)):
        rules.observe(click)
    assert rules.scores(A) == {C: 1.5, B: 1.0}
    assert rules.scores(B) == {C: 1.0}
    assert rules.scores(C) == {A: 1.0}
    assert rules.scores(D) == {}


def test_sequential_rules_reach_ten_clicks_back() -> None:
    rules = SequentialRules(Popularity())
    for click in clicks(tuple(range(12))):
        rules.observe(click)
    assert rules.scores(0) == {other: pytest.approx(1 / other) for other in range(1, 11)}


def test_association_rules_count_both_ways() -> None:
    rules = AssociationRules(Popularity())
    for click in clicks((A, B, A), (C, B)):
        rules.observe(click)
    assert rules.scores(A) == {B: 2.0, A: 2.0}
    assert rules.scores(B) == {A: 2.0, C: 1.0}
    assert rules.scores(C) == {B: 1.0}


def test_an_item_has_its_twenty_strongest_rules() -> None:
    rules = AssociationRules(Popularity())
    for click in clicks(*((99, other) for other in range(25)), (99, 24)):
        rules.observe(click)
    assert list(rules.scores(99)) == [24, *range(19)]


def test_lists_are_filled_up_by_popularity() -> None:
    popularity = Popularity()
    rules = SequentialRules(popularity)
    for click in clicks((A, B), (D, C), (D,), (D,)):
        popularity.observe(click)
        rules.observe(click)
    context = Context(user=1, session=PRESENT, items=(C, A), ts=0, count=3)
    assert rules.ranking(context) == [B, D, A]
    assert popularity.ranking(context)[0] == D


@given(st.lists(st.integers(0, 6)))
def test_the_order_of_popularity_is_that_of_counts(items: list[int]) -> None:
    popularity = Popularity()
    for click in clicks(tuple(items)):
        popularity.observe(click)
    order = popularity.ranking(Context(1, PRESENT, (), 0, 100))
    counts = Counter(items)
    assert sorted(order) == sorted(counts)
    assert all(counts[one] >= counts[other] for one, other in pairwise(order))
