"""Model inputs: one row at a time or many at once, in training or serving, the numbers are the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import FloatArray
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user
from features.inputs.columns import (
    CROSS_COLUMNS,
    ITEM_COLUMNS,
    USER_COLUMNS,
    ClickWeights,
    ItemColumns,
    cross_matrix,
    fades,
    item_matrix,
    normalise,
    popularity,
    tastes,
    user_vector,
)
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import RawInputs, model_inputs
from features.types import CLICK, RATING, Contribution, Event
from features.units import DAY_MS, HOUR_MS, SESSION_GAP_MS
from tests.features.strategies import CATALOGUE, contributions, logs
from tests.schemas import MOVIES, SHOP, added, film

GENRES = ("Comedy", "Drama", "War")
AT = 200 * DAY_MS
WEIGHTS = ClickWeights()


def columns_of(items: list[ItemFeatures]) -> ItemColumns:
    columns = ItemColumns(len(items))
    for row, features in enumerate(items):
        item_id = MOVIES.ids.inside(features.item_id)
        columns.set_item(row, item_id, CATALOGUE.get(item_id))
        columns.set_features(row, features, 1)
    return columns


@given(st.lists(contributions(max_size=40), min_size=1, max_size=6))
def test_rows_do_not_depend_on_their_neighbours(histories: list[list[Contribution]]) -> None:
    items = []
    for history in histories:
        features = ItemFeatures(3)
        for each in history:
            features = fold_item(features, each, MOVIES)
        items.append(features)
    together = item_matrix(columns_of(items), np.arange(len(items)), AT, GENRES)
    assert np.isfinite(together).all()
    for row, features in enumerate(items):
        alone = item_matrix(columns_of([features]), np.array([0]), np.array([AT]), GENRES)
        np.testing.assert_array_equal(alone[0], together[row])


def test_more_taken_back_than_given_is_still_a_number() -> None:
    features = ItemFeatures(3)
    for _ in range(5):  # as many as the prior weighs
        features = fold_item(features, added(3, AT, RATING, 400, -1), MOVIES)
    assert np.isfinite(item_matrix(columns_of([features]), np.array([0]), AT, GENRES)).all()


@given(logs(), st.integers(0, 10**13))
def test_a_user_vector_is_finite_at_any_time(log: list[Event], at: int) -> None:
    state = UserState(UserFeatures(7))
    for n, event in enumerate(log):
        fold_user(state, event, CATALOGUE.get(event.item_id), n, MOVIES)
    vector = user_vector(state.features, at, GENRES, WEIGHTS, MOVIES)
    assert vector.shape == (len(USER_COLUMNS) + 3 * (len(GENRES) + 1),)
    assert np.isfinite(vector).all()
    assert np.abs(vector[len(USER_COLUMNS) :]).max(initial=0) <= 1 + 1e-6


def test_a_taste_follows_the_weights_without_a_new_fold() -> None:
    state = UserState(UserFeatures(7))
    fold_user(state, Event("a", CLICK, 7, 1, 0, "", AT), film(1, "x", ("Drama",), 1990), 1, MOVIES)
    fold_user(state, Event("b", RATING, 7, 2, 500, "", AT), film(2, "y", ("Comedy",), 1990), 2, MOVIES)
    calm = tastes(state.features, AT, ClickWeights(click=0.0), MOVIES)
    keen = tastes(state.features, AT, ClickWeights(click=1.0), MOVIES)
    assert calm.names == keen.names == ("Comedy", "Drama")  # and not the decade
    assert calm.values[0].tolist() == [0.5, 0.0]
    assert keen.values[0].tolist() == [0.5, 0.5]
    assert keen.under(GENRES)[0].tolist() == [0.5, 0.5, 0.0, 0.0]


def test_a_facet_value_that_reads_like_a_decade_counts_where_items_do_not_count_by_decades() -> None:
    state = UserState(UserFeatures(7))
    item = SHOP.items.item(1, "x", SHOP.items.check({"category": "80s"}))
    fold_user(state, Event("a", CLICK, 7, 1, 0, "", AT), item, 1, SHOP)
    assert tastes(state.features, AT, WEIGHTS, SHOP).names == ("80s",)


def test_a_label_of_two_digits_is_no_decade() -> None:
    state = UserState(UserFeatures(7))
    fold_user(state, Event("a", CLICK, 7, 1, 0, "", AT), film(1, "x", ("80s", "Rock"), 2004), 1, MOVIES)
    assert tastes(state.features, AT, WEIGHTS, MOVIES).names == ("80s", "Rock")


def test_a_decade_of_three_digits_is_no_label() -> None:
    state = UserState(UserFeatures(7))
    fold_user(state, Event("a", CLICK, 7, 1, 0, "", AT), film(1, "x", ("Vase",), 850), 1, MOVIES)
    assert "850s" in state.features.tastes
    assert tastes(state.features, AT, WEIGHTS, MOVIES).names == ("Vase",)


def test_activity_halves_with_its_half_life_and_not_before_the_newest_event() -> None:
    state = UserState(UserFeatures(7))
    for number in range(3):
        fold_user(state, Event(f"{number}", CLICK, 7, 1, 0, "", AT + 12_345), None, number, MOVIES)
    activity = np.asarray(state.features.activity)
    for at, left in ((AT, 3.0), (AT + 12_345, 3.0), (AT + 12_345 + HOUR_MS, 1.5)):
        assert (activity * fades(state.features, at))[0] == pytest.approx(left, rel=0.003)
    assert (activity * fades(state.features, AT + 12_345 + 14 * DAY_MS))[2] == pytest.approx(1.5, rel=0.003)


def test_a_session_lasts_as_long_as_the_fold_says() -> None:
    column = USER_COLUMNS.index("log_session_events")
    for gap, inside in ((SESSION_GAP_MS, 2), (SESSION_GAP_MS + 1, 0)):
        state = UserState(UserFeatures(7))
        for number in range(2):
            fold_user(state, Event(f"{number}", CLICK, 7, 1, 0, "", AT), None, number, MOVIES)
        assert user_vector(state.features, AT + gap, GENRES, WEIGHTS, MOVIES)[column] == np.float32(np.log1p(inside))
        fold_user(state, Event("next", CLICK, 7, 1, 0, "", AT + gap), None, 2, MOVIES)
        assert state.features.session[2] == inside + 1


def test_popularity_halves_with_its_half_life() -> None:
    features = fold_item(ItemFeatures(3), added(3, AT, RATING, 500, 1), MOVIES)
    columns = columns_of([features])
    later = AT + 14 * DAY_MS
    assert popularity(columns, slice(None), AT, 14.0).tolist() == [1.0]
    assert popularity(columns, slice(None), later, 14.0).tolist() == [0.5]
    assert popularity(columns, slice(None), AT - 10**9, 14.0).tolist() == [1.0]


def test_model_inputs_have_the_declared_shapes_and_refuse_what_does_not_fit() -> None:
    columns = columns_of([ItemFeatures(number) for number in (1, 2, 3)])
    items = item_matrix(columns, np.arange(3), AT, GENRES)
    user = user_vector(UserFeatures(7), AT, GENRES, WEIGHTS, MOVIES)[None]
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
        "item": ((3, len(ITEM_COLUMNS) + 4), "float32"),
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


def named(vector: np.ndarray[Any, Any], names: tuple[str, ...]) -> dict[str, float]:
    return {name: float(vector[at]) for at, name in enumerate(names)}


def test_columns_of_a_user_worked_out_by_hand() -> None:
    state = UserState(UserFeatures(7))
    for number, centi in enumerate((500, 450, 100)):
        fold_user(state, Event(f"e{number}", RATING, 7, number, centi, "", HOUR_MS + number), None, number + 1, MOVIES)
    ten_minutes_later = HOUR_MS + 2 + 10 * 60_000
    assert named(user_vector(state.features, ten_minutes_later, (), WEIGHTS, MOVIES), USER_COLUMNS) == pytest.approx(
        {
            "log_events": np.log1p(3),
            "log_ratings": np.log1p(3),
            "mean_rating": (10.5 + 3.5 * 5) / (3 + 5),
            "std_rating": np.sqrt((25 + 20.25 + 1) / 3 - 3.5**2),
            "positive_share": (2 + 1) / (3 + 2),
            "log_hours_since_last": np.log1p(1 / 6),
            "log_session_events": np.log1p(3),
        },
        rel=1e-5,
    )
    session_over = user_vector(state.features, HOUR_MS + 3 + SESSION_GAP_MS, (), WEIGHTS, MOVIES)
    assert named(session_over, USER_COLUMNS)["log_session_events"] == 0


def test_columns_of_an_item_worked_out_by_hand() -> None:
    at, features = 200 * DAY_MS, ItemFeatures(3)
    for days, centi in ((14, 500), (1, 200)):
        fold_item(features, added(3, at - days * DAY_MS, RATING, centi, 1), MOVIES)
    columns = ItemColumns(1)
    columns.set_item(0, 3, film(3, "x", (), 1960))
    columns.set_features(0, features, 1)
    assert named(item_matrix(columns, np.array([0]), at, ())[0], ITEM_COLUMNS) == pytest.approx(
        {
            "log_ratings": np.log1p(2),
            "mean_rating": (7 + 3.5 * 5) / (2 + 5),
            "std_rating": 1.5,
            "positive_share": (1 + 1) / (2 + 2),
            "log_popularity_1d": np.log1p(2.0**-14 + 2.0**-1),
            "log_popularity_14d": np.log1p(2.0**-1 + 2.0 ** (-1 / 14)),
            "log_days_since_first": np.log1p(14),
            "years_since_release": 1970 + at / (365.2425 * DAY_MS) - 1960,
        },
        rel=1e-4,
    )


def test_columns_of_user_and_item_together_worked_out_by_hand() -> None:
    state = UserState(UserFeatures(7))
    fold_user(state, Event("a", RATING, 7, 2, 500, "", AT), film(2, "y", ("Comedy",), 1990), 1, MOVIES)
    user = user_vector(state.features, AT, GENRES, WEIGHTS, MOVIES)[None]
    columns = ItemColumns(1)
    columns.set_item(0, 5, film(5, "z", ("Comedy", "War"), 1990))
    columns.set_features(0, fold_item(ItemFeatures(5), added(5, AT, RATING, 300, 1), MOVIES), 1)
    cross = named(cross_matrix(user, item_matrix(columns, np.array([0]), AT, GENRES))[0], CROSS_COLUMNS)
    assert [cross[name] for name in ("taste_hour", "taste_day", "taste_weeks")] == [
        0.5
    ] * 3  # all of the taste, half an item
    assert cross["rating_gap"] == pytest.approx((3 + 17.5) / 6 - (5 + 17.5) / 6)


def test_what_is_far_off_is_cut_at_five_spreads() -> None:
    assert normalise(np.array([[100, -100, 3]], np.float32), (0, 0, 1), (1, 1, 2)).tolist() == [[5, -5, 1]]


def test_a_column_that_never_varied_says_nothing() -> None:
    assert normalise(np.array([[0, 7, 3]], np.float32), (0, 0, 1), (0, 0, 2)).tolist() == [[0, 0, 1]]


some_values = st.lists(st.sampled_from([*GENRES, "Art", "Birds", "Cats"]), max_size=5, unique=True)


def tasted(liked: list[list[str]]) -> UserFeatures:
    """A user who has liked an item of each of these values."""
    state = UserState(UserFeatures(7))
    for number, values in enumerate(liked):
        event = Event(f"e{number}", RATING, 7, number, 500, "", AT + number)
        fold_user(state, event, film(number, "x", values, 1990), number, MOVIES)
    return state.features


def item_row(values: list[str], vocabulary: tuple[str, ...]) -> FloatArray:
    columns = ItemColumns(1)
    columns.set_item(0, 1, film(1, "x", values, 1990))
    row: FloatArray = item_matrix(columns, np.array([0]), AT, vocabulary)[0]
    return row


@given(some_values)
def test_an_unknown_value_changes_the_last_column_of_its_item_alone(values: list[str]) -> None:
    known = [name for name in values if name in GENRES]
    row, without = item_row(values, GENRES), item_row(known, GENRES)
    assert row[:-1].tolist() == without[:-1].tolist()
    assert without[-1] == 0
    assert row[-1] == (len(known) < len(values))
    assert row[len(ITEM_COLUMNS) : -1].tolist() == [float(name in known) for name in GENRES]


@given(st.lists(some_values, max_size=6))
def test_tastes_outside_of_a_vocabulary_are_summed_in_its_last_columns(liked: list[list[str]]) -> None:
    features = tasted(liked)
    found = tastes(features, AT, WEIGHTS, MOVIES)
    columns = user_vector(features, AT, GENRES, WEIGHTS, MOVIES)[len(USER_COLUMNS) :].reshape(3, len(GENRES) + 1)
    of = dict(zip(found.names, found.values.T.tolist(), strict=True))
    for at, name in enumerate(GENRES):
        assert columns[:, at].tolist() == of.get(name, [0, 0, 0])
    others = np.sum([of[name] for name in of if name not in GENRES] or [[0] * 3], axis=0)
    assert columns[:, -1] == pytest.approx(others, abs=1e-6)


@given(some_values, st.lists(some_values, max_size=6), st.permutations([*GENRES, "Art", "Birds"]), st.integers(0, 5))
def test_under_any_two_vocabularies_a_value_of_both_has_the_same_columns(
    values: list[str], liked: list[list[str]], names: list[str], size: int
) -> None:
    """Two versions of a model, of another vocabulary each, side by side on one catalogue."""
    features, other = tasted(liked), tuple(names[:size])
    items = {vocabulary: item_row(values, vocabulary)[len(ITEM_COLUMNS) :] for vocabulary in (GENRES, other)}
    users = {
        vocabulary: user_vector(features, AT, vocabulary, WEIGHTS, MOVIES)[len(USER_COLUMNS) :].reshape(3, -1)
        for vocabulary in (GENRES, other)
    }
    for name in set(GENRES) & set(other):
        one, two = GENRES.index(name), other.index(name)
        assert items[GENRES][one] == items[other][two]
        assert users[GENRES][:, one].tolist() == users[other][:, two].tolist()
    for vocabulary in (GENRES, other):
        assert items[vocabulary].shape == (len(vocabulary) + 1,)
        assert users[vocabulary].sum(axis=1) == pytest.approx(users[GENRES].sum(axis=1), abs=1e-5)
