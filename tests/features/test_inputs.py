"""Model inputs: one row at a time or many at once, in training or serving, the numbers are the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.fold import UserState, fold_user
from features.inputs import (
    CROSS_COLUMNS,
    ITEM_COLUMNS,
    USER_COLUMNS,
    ClickWeights,
    InputMaps,
    ItemColumns,
    cross_matrix,
    fades,
    item_matrix,
    popularity,
    tastes,
    user_vector,
)
from features.item_fold import fold_item
from features.model_inputs import RawInputs, model_inputs
from features.state import ItemFeatures, UserFeatures
from features.units import DAY_MS, HOUR_MS, SESSION_GAP_MS
from features.words import CLICK, RATING, Contribution, Event, Item
from tests.features.strategies import CATALOGUE, contributions, events

GENRES = ("Comedy", "Drama", "War")
AT = 200 * DAY_MS
WEIGHTS = ClickWeights()


def columns_of(items: list[ItemFeatures]) -> ItemColumns:
    columns = ItemColumns(len(items), GENRES)
    for row, features in enumerate(items):
        columns.set_item(row, features.item_id, CATALOGUE.get(features.item_id))
        columns.set_features(row, features)
    return columns


@settings(max_examples=40)
@given(st.lists(st.lists(contributions(), max_size=20), min_size=1, max_size=6))
def test_rows_do_not_depend_on_their_neighbours(histories: list[list[Contribution]]) -> None:
    items = []
    for history in histories:
        features = ItemFeatures(3)
        for each in history:
            features = fold_item(features, each)
        items.append(features)
    together = item_matrix(columns_of(items), slice(None), AT)
    assert np.isfinite(together).all()
    for row, features in enumerate(items):
        alone = item_matrix(columns_of([features]), np.array([0]), np.array([AT]))
        np.testing.assert_array_equal(alone[0], together[row])


def test_more_taken_back_than_given_is_still_a_number() -> None:
    features = ItemFeatures(3)
    for _ in range(5):  # as many as the prior weighs
        features = fold_item(features, Contribution(3, AT, RATING, 400, -1))
    assert np.isfinite(item_matrix(columns_of([features]), slice(None), AT)).all()


@settings(max_examples=40)
@given(st.lists(events(), max_size=40), st.integers(0, 10**13))
def test_a_user_vector_is_finite_at_any_time(log: list[Event], at: int) -> None:
    state = UserState(UserFeatures(7))
    for n, event in enumerate(log):
        fold_user(state, event, CATALOGUE.get(event.item_id), n)
    vector = user_vector(state.features, at, GENRES, WEIGHTS)
    assert vector.shape == (len(USER_COLUMNS) + 3 * len(GENRES),)
    assert np.isfinite(vector).all()
    assert np.abs(vector[len(USER_COLUMNS) :]).max(initial=0) <= 1 + 1e-6


def test_a_taste_follows_the_weights_without_a_new_fold() -> None:
    state = UserState(UserFeatures(7))
    fold_user(state, Event("a", CLICK, 7, 1, 0, "", AT), Item(1, "x", ("Drama",), 1990), 1)
    fold_user(state, Event("b", RATING, 7, 2, 500, "", AT), Item(2, "y", ("Comedy",), 1990), 2)
    calm = tastes(state.features, AT, GENRES, ClickWeights(click=0.0))
    keen = tastes(state.features, AT, GENRES, ClickWeights(click=1.0))
    assert calm[0].tolist() == [0.5, 0.0, 0.0]
    assert keen[0].tolist() == [0.5, 0.5, 0.0]


def test_activity_halves_with_its_half_life_and_not_before_the_newest_event() -> None:
    state = UserState(UserFeatures(7))
    for number in range(3):
        fold_user(state, Event(f"{number}", CLICK, 7, 1, 0, "", AT + 12_345), None, number)
    activity = np.asarray(state.features.activity)
    for at, left in ((AT, 3.0), (AT + 12_345, 3.0), (AT + 12_345 + HOUR_MS, 1.5)):
        assert (activity * fades(state.features, at))[0] == pytest.approx(left, rel=0.003)
    assert (activity * fades(state.features, AT + 12_345 + 14 * DAY_MS))[2] == pytest.approx(1.5, rel=0.003)


def test_a_session_lasts_as_long_as_the_fold_says() -> None:
    column = USER_COLUMNS.index("log_session_events")
    for gap, inside in ((SESSION_GAP_MS, 2), (SESSION_GAP_MS + 1, 0)):
        state = UserState(UserFeatures(7))
        for number in range(2):
            fold_user(state, Event(f"{number}", CLICK, 7, 1, 0, "", AT), None, number)
        assert user_vector(state.features, AT + gap, GENRES, WEIGHTS)[column] == np.float32(np.log1p(inside))
        fold_user(state, Event("next", CLICK, 7, 1, 0, "", AT + gap), None, 2)
        assert state.features.session[2] == inside + 1


def test_popularity_halves_with_its_half_life() -> None:
    features = fold_item(ItemFeatures(3), Contribution(3, AT, RATING, 500, 1))
    columns = columns_of([features])
    later = AT + 14 * DAY_MS
    assert popularity(columns, slice(None), AT, 14.0).tolist() == [1.0]
    assert popularity(columns, slice(None), later, 14.0).tolist() == [0.5]
    assert popularity(columns, slice(None), AT - 10**9, 14.0).tolist() == [1.0]


def test_model_inputs_have_the_declared_shapes_and_refuse_what_does_not_fit() -> None:
    columns = columns_of([ItemFeatures(number) for number in (1, 2, 3)])
    items = item_matrix(columns, slice(None), AT)
    user = user_vector(UserFeatures(7), AT, GENRES, WEIGHTS)[None]
    cross = cross_matrix(user, items)
    assert cross.shape == (3, len(CROSS_COLUMNS))
    maps = InputMaps(
        GENRES,
        tuple([0.0] * user.shape[1]), tuple([1.0] * user.shape[1]),
        tuple([0.0] * items.shape[1]), tuple([1.0] * items.shape[1]),
        tuple([0.0] * cross.shape[1]), tuple([1.0] * cross.shape[1]),
    )  # fmt: skip
    made = model_inputs(
        ("userId", "movieId", "user", "item", "cross"), maps, RawInputs(np.array([7]), user, columns.ids, items)
    )
    assert {name: (array.shape, str(array.dtype)) for name, array in made.items()} == {
        "userId": ((3,), "int64"),
        "movieId": ((3,), "int64"),
        "user": ((3, user.shape[1]), "float32"),
        "item": ((3, len(ITEM_COLUMNS) + 3), "float32"),
        "cross": ((3, len(CROSS_COLUMNS)), "float32"),
    }
    with pytest.raises(ValueError, match="do not fit"):
        model_inputs(
            ("item",),
            InputMaps(GENRES, (), (), (0.0,), (1.0,)),
            RawInputs(np.array([7]), user, columns.ids, items),
        )
    with pytest.raises(ValueError, match="'price'"):
        model_inputs(("price",), maps, RawInputs(np.array([7]), user, columns.ids, items))
    with pytest.raises(ValueError, match="'signals' was not made ready"):
        model_inputs(("signals",), maps, RawInputs(np.array([7]), user, columns.ids, items))
