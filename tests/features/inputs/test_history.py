"""A user's newest events as sequence models read them."""

from hypothesis import given
from hypothesis import strategies as st

from features.fold.state import UserFeatures
from features.fold.user import UserState, fold_user
from features.inputs.history import GAPS, LENGTH, MARKS, NOTHING, gap_of, history_of, mark_of
from features.types import CLICK, DISLIKE, KINDS, LIKE, MAX_OWN_KINDS, RATING, VIEW, Event
from tests.features.strategies import CATALOGUE, logs
from tests.schemas import MOVIES


def test_it_is_padded_on_the_left_and_gaps_stand_before_their_events() -> None:
    recent = [(7, 10_000, RATING, 450), (8, 10_000, CLICK, 0), (9, 13_000, LIKE, 0)]
    items, marks, gaps = history_of(recent, 20_000)
    assert items.tolist() == [NOTHING] * (LENGTH - 3) + [7, 8, 9]
    assert marks.tolist() == [0] * (LENGTH - 3) + [9, 11, 13]
    assert gaps.tolist() == [0] * (LENGTH - 3) + [0, 1, 3, 4]  # none, the same second, 3 s, 7 s up to now


def test_nobody_has_no_history() -> None:
    items, marks, gaps = history_of([], 5)
    assert set(items.tolist()) == {NOTHING}
    assert not marks.any()
    assert not gaps.any()


def test_marks_tell_ratings_and_kinds_apart() -> None:
    ratings = [mark_of(RATING, centi) for centi in range(50, 501, 50)]
    assert ratings == list(range(1, 11))
    own = range(len(KINDS), len(KINDS) + MAX_OWN_KINDS)
    kinds = [mark_of(kind, 0) for kind in (CLICK, VIEW, LIKE, DISLIKE, *own)]
    assert len({*ratings, *kinds}) == MARKS - 1


@given(logs(), st.integers(0, 10**13))
def test_it_is_within_bounds_at_any_time(log: list[Event], at: int) -> None:
    state = UserState(UserFeatures(7))
    for n, event in enumerate(log):
        fold_user(state, event, CATALOGUE.get(event.item_id), n, MOVIES)
    items, marks, gaps = history_of(state.features.recent, at)
    assert (len(items), len(marks), len(gaps)) == (LENGTH, LENGTH, LENGTH + 1)
    assert ((marks >= 0) & (marks < MARKS)).all()
    assert ((gaps >= 0) & (gaps < GAPS)).all()
    assert ((marks > 0) == (items != NOTHING)).all()


@given(st.integers(-(10**12), 10**15), st.integers(0, 10**15))
def test_a_longer_gap_never_has_a_smaller_number(shorter: int, more: int) -> None:
    assert 1 <= gap_of(shorter) <= gap_of(shorter + more) < GAPS


def test_the_newest_events_are_the_history() -> None:
    recent = [(number, 1000 * number, CLICK, 0) for number in range(LENGTH + 5)]
    assert history_of(recent, 10**9)[0].tolist() == list(range(5, LENGTH + 5))
