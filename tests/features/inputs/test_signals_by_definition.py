"""What is computed for the rows that a history leads to is what the definition says of every row."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import IntArray
from features.base.item_weights import Relations
from features.base.past_sessions import PastSessions
from features.base.repeat_lifts import SPANS, Repeats
from features.base.segments import Segments
from features.fold.co_visits import Neighbours
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures
from features.fold.user import UserState, fold_user
from features.inputs.columns import ClickWeights, ItemColumns
from features.inputs.moment import ItemIndex, Moment, Together
from features.inputs.released import Released
from features.inputs.signals import (
    MAX_ACTED,
    MAX_RANKED,
    RANKERS_ALONE,
    RECALL_SIGNALS,
    SIGNAL_COLUMNS,
    SIGNALS,
    find_signals,
    signal_matrix,
)
from features.types import CLICK, DISLIKE, LIKE, RATING, VIEW, Event
from features.units import DAY_MS, HOUR_MS
from tests.features.inputs.plain_signals import Strengths, plain_likeness, plain_released, plain_signals
from tests.schemas import MOVIES, added, film, peopled

AT = 300 * DAY_MS + 7 * HOUR_MS
NAMES = [f"value {number}" for number in range(9)]
VALUES = ("jazz", "art", "sport", "nothing known")
Sessions = list[tuple[int, list[int]]]


def drawn_index(rng: np.random.Generator, size: int) -> tuple[ItemIndex, Sessions, dict[str, Strengths]]:
    """A catalogue whose items are in the order of their rows, ids from 1; those from `size` − 3 on are newer than the weights."""
    columns, together, row_of = ItemColumns(size), Together(size), {row + 1: row for row in range(size)}
    for row in range(size):
        names = tuple(NAMES[each] for each in rng.integers(0, len(NAMES), rng.integers(0, 4)))
        columns.set_item(row, row + 1, film(row + 1, "x", names, int(rng.integers(1950, 2020)) if row % 5 else 0))
        features = ItemFeatures(row + 1)
        for _ in range(int(rng.zipf(1.7)) % 12 if row % 3 else 0):
            when = AT - int(rng.integers(0, 40)) * DAY_MS
            kind = int(rng.choice([LIKE, VIEW]))
            fold_item(features, added(row + 1, when, kind, 0, int(kind == LIKE)), MOVIES)
        columns.set_features(row, features, MOVIES.unit)
        if rng.random() < 0.6:
            top = [(int(other) + 1, int(weight)) for other, weight in rng.integers(0, size, (4, 2))]
            together.put(row, Neighbours(row + 1, 1, AT, [*dict(top).items()]), row_of)
    known = max(size - 3, 1)

    def relations() -> Relations:
        counts = rng.integers(0, 5, known)
        others = np.concatenate([rng.choice(known, min(count, known), replace=False) for count in counts]) + 1
        starts = np.r_[0, np.cumsum(np.minimum(counts, known))]
        return Relations(
            columns.ids[:known], np.arange(known) + 1, starts, others, rng.random(len(others)).astype(np.float32)
        )

    sessions: Sessions = [
        (AT - (60 - number) * HOUR_MS, sorted({int(row) for row in rng.integers(0, known, rng.integers(1, 6))}))
        for number in range(int(rng.integers(0, 60)))
    ]
    members: IntArray = np.array([row for _, rows in sessions for row in rows], np.int64)
    past = PastSessions(
        columns.ids[:known],
        np.arange(known) + 1,
        np.array([end for end, _ in sessions], np.int64),
        np.r_[0, np.cumsum([len(rows) for _, rows in sessions])].astype(np.int64),
        members,
    )
    taken = np.flatnonzero(rng.random(known) < 0.5) + 1
    lifts = np.exp(rng.normal(0, 2, len(taken) * SPANS)).astype(np.float32)
    repeats = Repeats(columns.ids[:known], taken, lifts)
    of_segments: dict[str, Strengths] = {
        f"{name}:{value}": {
            int(row): float(np.float32(rng.random())) for row in rng.choice(known, min(known, 4), replace=False)
        }
        for name in ("plan", "interests")
        for value in VALUES[:-1]
    }
    segments = Segments(
        columns.ids[:known],
        np.frombuffer(msgspec.json.encode(list(of_segments)), np.uint8),
        np.cumsum([0, *map(len, of_segments.values())]),
        np.array([row + 1 for rows in of_segments.values() for row in rows], np.int64),
        np.array([weight for rows in of_segments.values() for weight in rows.values()], np.float32),
    )
    schema = peopled("movies")
    index = ItemIndex(columns, row_of, relations(), relations(), past, together, schema, repeats, segments)
    return index, sessions, of_segments


def drawn_user(rng: np.random.Generator, items: ItemIndex) -> UserFeatures:
    state, at = UserState(UserFeatures(7)), AT - 3 * DAY_MS
    for number in range(int(rng.integers(0, 40))):
        at += int(rng.choice([60_000, 5 * HOUR_MS]))
        item_id, kind = (
            int(rng.integers(1, len(items) + 3)),
            int(rng.choice([LIKE, LIKE, CLICK, VIEW, DISLIKE, RATING])),
        )
        labels = film(item_id, "x", (NAMES[item_id % len(NAMES)], NAMES[item_id % 4]), 2000)
        centi = int(rng.integers(1, 11)) * 50 if kind == RATING else 0
        fold_user(state, Event(f"e{number}", kind, 7, item_id, centi, "", at), labels, 1, MOVIES)
    interests = [value for value in VALUES if rng.random() < 0.4]
    has = {"plan": str(rng.choice(VALUES)), "interests": interests, "born": 1984} if rng.random() < 0.7 else {}
    state.features.attributes = items.schema.users.canonical(has, "attributes")
    return state.features


@given(st.integers(0, 1 << 30), st.integers(1, 60))
def test_signals_are_what_their_definitions_say(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    items, sessions, of_segments = drawn_index(rng, size)
    allowed = rng.random(size) < 0.8
    acted = np.flatnonzero(rng.random(size) < 0.3)
    if seed % 5 == 0:  # more than lead to others
        acted = np.sort(np.repeat(np.arange(size), 1 + MAX_ACTED // size))
    some: IntArray = rng.permutation(np.flatnonzero(rng.random(size) < 0.3))
    free = Released(some, rng.integers(0, 60 * DAY_MS, len(some)))
    moment = Moment(drawn_user(rng, items), AT, items, ClickWeights(), allowed, acted, free)
    found, rows = find_signals(moment), np.arange(size)
    matrix = signal_matrix(found, rows)
    for name, expected in plain_signals(moment, sessions, of_segments).items():
        strengths = found.at(name, rows)
        assert dict(enumerate(strengths.tolist())) == pytest.approx(
            {row: expected.get(row, 0) for row in range(size)}, rel=1e-5
        )
        order = sorted(expected, key=lambda row: (-strengths[row], row))[:MAX_RANKED]
        assert found.orders[name].tolist() == order
        share, place = (matrix[:, SIGNAL_COLUMNS.index(f"{name}_{of}")] for of in ("share", "place"))
        top = max(expected.values(), default=1)
        assert share == pytest.approx([expected.get(row, 0) / top for row in range(size)], abs=1e-5)
        gains = {row: 1 / np.log2(2 + rank) for rank, row in enumerate(order)}
        assert place == pytest.approx([gains.get(row, 0) for row in range(size)], abs=1e-6)
    for row in range(size):
        columns = [SIGNAL_COLUMNS.index(name) for name in ("alike", "era")]
        assert matrix[row, columns] == pytest.approx(plain_likeness(moment, row), abs=1e-5)
        columns = [SIGNAL_COLUMNS.index(name) for name in ("released", "lift")]
        assert matrix[row, columns] == pytest.approx(plain_released(moment, row), abs=1e-5)
    assert set(found.orders) == set(SIGNALS)
    assert not RANKERS_ALONE.keys() & found.find(RECALL_SIGNALS).keys()  # which is what recall takes
