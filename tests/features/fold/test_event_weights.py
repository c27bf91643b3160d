"""The weights of whole columns are those that the schema and the fold give one event at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInput
from features.fold.event_weights import weights_of, without_repeats
from features.fold.state import UserFeatures
from features.fold.user import UserState, fold_user
from features.schema.tables import Schema, preset_schema
from features.types import CLICK, KINDS, RATING, UNDO, VIEW, Event
from tests.features.schema.test_tables import schemas
from tests.schemas import MOVIES, SHOP

CENTIS = (0, 49, 50, 250, 251, 399, 400, 9_999, 10_000, 60_000)


def codes(schema: Schema) -> list[int]:
    """Codes of the kinds that the schema knows, but undo and forgetting."""
    return [kind.code for kind in schema.kinds if kind and (kind.code < UNDO or kind.code >= len(KINDS))]


@pytest.mark.parametrize("name", ["movies", "news", "shop", "video"])
def test_under_a_preset_they_are_the_schemas(name: str) -> None:
    schema = preset_schema(name)
    pairs = [(code, centi) for code in codes(schema) for centi in CENTIS]
    kinds, centis = np.array(pairs).T
    assert weights_of(schema, kinds.astype(np.int8), centis).tolist() == [schema.weight(*pair) for pair in pairs]


@given(schemas(), st.lists(st.tuples(st.integers(0, 40), st.sampled_from(CENTIS)), max_size=40))
def test_under_any_schema_they_are_the_schemas(schema: Schema, drawn: list[tuple[int, int]]) -> None:
    known = codes(schema)
    pairs = [(known[which % len(known)], centi) for which, centi in drawn]
    kinds, centis = np.array(pairs, np.int64).reshape(-1, 2).T
    assert weights_of(schema, kinds, centis).tolist() == [schema.weight(*pair) for pair in pairs]


def test_a_positive_of_films_is_a_rating_of_at_least_4() -> None:
    centis = np.arange(50, 501)
    weights = weights_of(MOVIES, np.full(len(centis), RATING), centis)
    assert ((weights > 0) == (centis >= 400)).all()
    assert set(weights[weights > 0].tolist()) == {MOVIES.unit}


@pytest.mark.parametrize("code", [RATING, 24, -1])
def test_a_kind_that_the_schema_does_not_know_is_named(code: int) -> None:
    with pytest.raises(BadInput, match=rf"kind: expected one of impression, .*, got code {code}"):
        weights_of(preset_schema("news"), np.array([CLICK, code]), np.zeros(2, np.int64))


@given(schemas(), st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.integers(0, 40)), max_size=120))
def test_a_repeat_counts_as_in_the_fold(schema: Schema, drawn: list[tuple[int, int, int]]) -> None:
    known = codes(schema)
    states: dict[int, UserState] = {}
    folded, rows = [], []
    for number, (user, item, which) in enumerate(drawn):
        kind = known[which % len(known)]
        centi = 400 if schema.kind(kind).value else 0
        event = Event(f"e{number}", kind, user, item, centi, "", 1_000_000 + number)
        state = states.setdefault(user, UserState(UserFeatures(user)))
        contribution = fold_user(state, event, None, number, schema).contribution
        assert contribution is not None
        folded.append(contribution.weight)
        rows.append((user, item, kind, centi))
    users, items, kinds, centis = np.array(rows, np.int64).reshape(-1, 4).T
    weights = weights_of(schema, kinds, centis)
    assert without_repeats(schema, users, items, kinds, weights).tolist() == folded


def test_a_look_counts_again_after_twenty_other_acts() -> None:
    for between, again in ((19, 0), (20, SHOP.weight(VIEW, 0))):
        items = np.array([1, *range(100, 100 + between), 1])
        kinds, users = np.full(len(items), VIEW), np.ones(len(items), np.int64)
        weights = weights_of(SHOP, kinds, np.zeros(len(items), np.int64))
        assert without_repeats(SHOP, users, items, kinds, weights)[-1] == again
