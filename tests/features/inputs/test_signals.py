"""Signals: what each says, candidates of several orders, and the columns that rankers read."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.base.repeat_lifts import SPANS, Repeats
from features.fold.co_visits import Neighbours
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user
from features.inputs.columns import ClickWeights, ItemColumns
from features.inputs.moment import ItemIndex, Moment, Together
from features.inputs.released import MAX_RELEASED, released
from features.inputs.signals import (
    SIGNAL_COLUMNS,
    SIGNALS,
    Signals,
    candidates,
    find_signals,
    signal_matrix,
)
from features.types import CLICK, DISLIKE, LIKE, VIEW, Event
from features.units import DAY_MS
from tests.schemas import MOVIES, added, film

AT = 200 * DAY_MS + DAY_MS // 2
GENRES = ("Comedy", "Drama", "War")
ITEMS = [film(number, f"Film {number}", (GENRES[number % 3],), 1990 + number) for number in range(1, 9)]


def index() -> ItemIndex:
    """Film n liked n times, just now; film 1's neighbours by ease are 2 and 3, by similar 4; together with 2 goes 5; there was a
    session of films 1 and 6, and one of 1, 6 and 7."""
    columns = ItemColumns(len(ITEMS))
    row_of = {}
    for row, item in enumerate(ITEMS):
        row_of[item.item_id] = row
        columns.set_item(row, item.item_id, item)
        features = ItemFeatures(item.item_id)
        for number in range(item.item_id):
            fold_item(features, added(item.item_id, AT - number, LIKE, 0, 1), MOVIES)
        columns.set_features(row, features, 1)

    def one(others: list[int], weights: list[float]) -> Relations:
        size = np.array([0, len(others)])
        return Relations(columns.ids, np.array([1]), size, np.array(others), np.array(weights, np.float32))

    together = Together(len(ITEMS))
    together.put(row_of[2], Neighbours(2, 1, AT, [(5, 30), (1, 10)]), row_of)
    sessions = PastSessions(
        columns.ids, np.array([1, 6, 7]), np.array([1, AT - DAY_MS]), np.array([0, 2, 5]), np.array([0, 1, 0, 1, 2])
    )
    return ItemIndex(columns, row_of, one([2, 3], [0.5, 0.1]), one([4], [1.0]), sessions, together, MOVIES)


def test_where_nothing_was_liked_what_is_looked_at_most_is_popular() -> None:
    """Films are in the order of their views then, not of their ids; one like anywhere ends that."""
    items = index()
    columns = items.columns
    for row in range(len(ITEMS)):
        columns.set_features(row, ItemFeatures(row + 1), 1)
    for row, views in enumerate((1, 5, 3)):
        features = ItemFeatures(row + 1)
        for number in range(views):
            fold_item(features, added(row + 1, AT - number, VIEW, 0, 1), MOVIES)
        columns.set_features(row, features, 1)
    cold = Moment(UserFeatures(7), AT, items, ClickWeights(), np.ones(len(items), bool))
    assert cold.standing.is_cold
    assert find_signals(cold).orders["popular"].tolist() == [1, 2, 0]
    assert find_signals(cold).orders["popular_day"].tolist() == [1, 2, 0]
    columns.set_features(0, fold_item(ItemFeatures(1), added(1, AT, LIKE, 0, 1), MOVIES), 1)
    warm = Moment(UserFeatures(7), AT, items, ClickWeights(), np.ones(len(items), bool))
    assert not warm.standing.is_cold
    assert find_signals(warm).orders["popular"].tolist() == [0]


def moment(liked: list[int], hidden: tuple[int, ...] = ()) -> Moment:
    items = index()
    allowed = np.ones(len(items), bool)
    allowed[[items.row_of[item_id] for item_id in hidden]] = False
    user = UserFeatures(7, sequence=[(item_id, AT) for item_id in liked])
    return Moment(user, AT, items, ClickWeights(), allowed)


def ids(found: Signals, name: str) -> list[int]:
    known: list[int] = found.moment.items.columns.ids[found.order(name)].tolist()
    return known


def test_each_says_what_its_name_says() -> None:
    found = find_signals(moment([1]))
    assert ids(found, "ease") == [2, 3]
    assert ids(found, "similar") == [4]
    assert ids(found, "together") == []
    assert ids(found, "popular") == ids(found, "popular_day") == [8, 7, 6, 5, 4, 3, 2, 1]
    assert ids(find_signals(moment([1, 2])), "together") == [5, 1]


def test_the_nearest_sessions_are_asked_for_the_latest_session() -> None:
    """What was liked before it, was disliked in it or was only shown says nothing, whether the session goes on or is over."""
    items = index()
    recent = [(2, AT - DAY_MS, LIKE, 0), (1, AT - 9, CLICK, 0), (3, AT - 8, CLICK, 0), (3, AT - 7, DISLIKE, 0)]
    user = UserFeatures(7, recent=recent)
    now = Moment(user, AT, items, ClickWeights(), np.ones(len(items), bool))
    assert items.columns.ids[now.session].tolist() == [1]
    assert ids(find_signals(now), "nearest_sessions") == [1, 6, 7]
    later = replace(now, at=AT + DAY_MS)
    assert later.session.tolist() == now.session.tolist()
    late = replace(now, user=UserFeatures(7, recent=[*recent, (6, AT - DAY_MS, CLICK, 0)]))
    assert late.session.tolist() == now.session.tolist(), "what came late is of its own time"
    before = replace(now, user=UserFeatures(7, recent=[(1, 2, CLICK, 0)]))
    assert ids(find_signals(before), "nearest_sessions") == [1, 6], "of sessions that were over by then"


def test_again_is_what_the_user_was_interested_in_lately() -> None:
    """Newer and more often first; what was disliked or only passed by is not there, nor what is hidden."""
    items = index()
    recent = [(2, AT - DAY_MS, LIKE, 0), (1, AT - 9, CLICK, 0), (4, AT - 8, CLICK, 0), (5, AT - 7, CLICK, 0)]
    recent += [(1, AT - 6, CLICK, 0), (3, AT - 5, DISLIKE, 0)]
    allowed = np.ones(len(items), bool)
    allowed[items.row_of[5]] = False
    found = find_signals(Moment(UserFeatures(7, recent=recent), AT, items, ClickWeights(), allowed))
    assert ids(found, "again") == [1, 4, 2]
    taken_back = UserFeatures(7, recent=[*recent, (1, AT - 4, DISLIKE, 0), (3, AT - 3, LIKE, 0)])
    assert ids(find_signals(replace(found.moment, user=taken_back)), "again") == [3, 4, 2]
    (strength,) = found.at("again", np.array([items.row_of[1]])).tolist()
    assert strength == pytest.approx(1 / np.log2(3) + 1 / np.log2(6))


def test_every_signal_has_its_columns() -> None:
    assert set(SIGNAL_COLUMNS) > {f"{name}_{of}" for name in SIGNALS for of in ("share", "place")}
    assert len(set(SIGNAL_COLUMNS)) == len(SIGNAL_COLUMNS) == 2 * len(SIGNALS) + 5


def test_what_is_not_allowed_is_in_no_order() -> None:
    found = find_signals(moment([1, 2], hidden=(2, 5, 8)))
    for name in SIGNALS:
        assert not {2, 5, 8} & set(ids(found, name))


def test_a_newcomer_gets_what_is_popular_alone() -> None:
    found = find_signals(moment([]))
    assert {name for name in SIGNALS if len(found.orders[name])} == {"popular", "popular_day"}


def test_the_matrix_tells_shares_places_and_likeness() -> None:
    found = find_signals(moment([1]))
    rows = np.array([1, 2, 7])  # films 2, 3, 8
    matrix = signal_matrix(found, rows)
    column = {name: pytest.approx(matrix[:, at], abs=1e-3) for at, name in enumerate(SIGNAL_COLUMNS)}
    assert column["ease_share"] == [1, 0.2, 0]
    assert column["ease_place"] == [1, 0.631, 0]
    assert column["popular_share"] == [0.25, 0.375, 1]
    assert matrix[2, SIGNAL_COLUMNS.index("popular_place")] == 1
    assert column["alike"] == [0, 0, 0]  # film 1 is a drama, 2 and 8 are of war, 3 is a comedy
    assert column["era"] == [0.819, 0.67, 0.247]
    assert np.isfinite(matrix).all()


def test_a_row_does_not_depend_on_the_others() -> None:
    found = find_signals(moment([1, 2, 3]))
    together = signal_matrix(found, np.arange(8))
    for row in range(8):
        np.testing.assert_array_equal(signal_matrix(found, np.array([row]))[0], together[row])


@given(st.lists(st.lists(st.integers(0, 20), max_size=12, unique=True), max_size=4), st.integers(1, 15), st.booleans())
def test_candidates_are_those_with_the_best_places_each_once(
    orders: list[list[int]], limit: int, all_of_the_first: bool
) -> None:
    first = int(all_of_the_first and len(orders) > 0)
    named = {str(at): np.array(order, np.int64) for at, order in enumerate(orders)}
    rows, found_by = candidates(named, limit, first)
    best: dict[int, tuple[int, int]] = {}
    for by, order in enumerate(orders):
        for rank, row in enumerate(order):
            best[row] = min(best.get(row, (99, 99)), (rank - 99 if by < first else rank, by))
    assert rows.tolist() == sorted(best, key=lambda row: best[row])[:limit]
    for row, mask in zip(rows.tolist(), found_by.tolist(), strict=True):
        assert mask == sum(1 << by for by, order in enumerate(orders) if row in order)


def test_neighbours_that_have_all_faded_say_nothing() -> None:
    together = Together(2)
    together.put(0, Neighbours(1, 3, AT, [(2, 0)]), {1: 0, 2: 1})
    assert not len(together.spread(np.array([0]), np.ones(1, np.float32), np.ones(2, bool)))


def test_what_changes_of_items_after_a_signal_was_found_is_read_as_it_is() -> None:
    """Between recall and ranking an item may get values that the user can't have a taste for yet, and others make room."""
    found = find_signals(moment([1, 2]))
    items = found.moment.items
    for row in range(len(items)):
        names = [f"new {row} {number}" for number in range(row % 4 + 1)]
        items.columns.set_item(row, row + 1, film(row + 1, "x", names))
    assert found.at("genre", np.arange(len(items))).tolist() == [0] * len(items)


def test_a_value_that_came_with_a_new_item_is_liked_like_any_other() -> None:
    """Signals know all values of the catalogue, whichever a model's vocabulary has."""
    items = index()
    assert isinstance(items.row_of, dict)
    items.columns.grow(2)
    items.together.grow(2)
    for item_id in (100, 101):
        items.row_of[item_id] = len(items.row_of)
        items.columns.set_item(items.row_of[item_id], item_id, film(item_id, "New", ("Birds", "Drama"), 2000))
        features = fold_item(ItemFeatures(item_id), added(item_id, AT, LIKE, 0, 1), MOVIES)
        items.columns.set_features(items.row_of[item_id], features, 1)
    state = UserState(UserFeatures(7))
    fold_user(state, Event("e", LIKE, 7, 100, 0, "", AT), film(100, "New", ("Birds",), 2000), 1, MOVIES)
    found = find_signals(Moment(state.features, AT, items, ClickWeights(), np.ones(len(items), bool)))
    assert ids(found, "genre") == [100, 101]
    matrix = signal_matrix(found, np.array([items.row_of[item_id] for item_id in (101, 1, 2)]))
    alike = matrix[:, SIGNAL_COLUMNS.index("alike")]
    assert alike == pytest.approx([1, 1 / np.sqrt(2), 0], abs=1e-6)  # of both, a drama, of war


def test_what_may_be_shown_again_and_is_due_comes_first_and_what_is_not_has_no_rank() -> None:
    """Film 2 is taken again soon, film 3 seldom, and nothing is known of film 4; film 5 is hidden still."""
    lifts = np.array([[4.0], [0.25]], np.float32).repeat(SPANS, axis=1).ravel()
    items = index()
    items = replace(items, repeats=Repeats(items.columns.ids, np.array([2, 3]), lifts))
    free = released({2: AT - 1, 3: AT, 4: 1, 5: AT + 1, 99: 1}, AT, items.row_of)
    allowed = np.ones(len(items), bool)
    found = find_signals(Moment(UserFeatures(7), AT, items, ClickWeights(), allowed, released=free))
    assert ids(found, "due") == [2]
    columns = [SIGNAL_COLUMNS.index(name) for name in ("due_share", "due_place", "released", "lift")]
    matrix = signal_matrix(found, np.arange(len(items)))[:, columns]
    assert matrix[:5].tolist() == [
        [0, 0, 0, 0], [1, 1, 1, pytest.approx(0.4)], [0, 0, 1, pytest.approx(-0.4)], [0, 0, 1, 0], [0, 0, 0, 0]
    ]  # fmt: skip
    allowed = allowed & (items.columns.ids != 2)
    found = find_signals(replace(found.moment, allowed=allowed))
    assert ids(found, "due") == []
    assert not signal_matrix(found, np.array([1]))[:, columns].any()


def test_of_many_items_that_may_be_shown_again_the_newest_count() -> None:
    row_of = {item_id: item_id - 1 for item_id in range(1, MAX_RELEASED + 3)}
    rows, ago = released({item_id: AT - item_id for item_id in row_of}, AT, row_of)
    assert sorted(rows.tolist()) == list(range(MAX_RELEASED))
    assert ago.max() == MAX_RELEASED
