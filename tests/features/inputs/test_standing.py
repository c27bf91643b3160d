"""What is kept of a catalogue gives the bits that making it anew gives, whatever changes in between."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.fold.item import fold_item
from features.fold.state import ItemFeatures
from features.inputs.columns import CHANGED, UNDATED, ItemColumns, popularity, trending
from features.inputs.standing import RETAINED, Standing, Standings
from features.types import LIKE, VIEW
from features.units import DAY_MS
from tests.schemas import MOVIES, added, film

AT = 200 * DAY_MS + 5
SIZE = 12


def changed(columns: ItemColumns, features: dict[int, ItemFeatures], row: int, kind: int, ago: int) -> None:
    """An event on the item in a row, so many days ago."""
    one = features.setdefault(row, ItemFeatures(row + 1))
    fold_item(one, added(row + 1, AT - ago * DAY_MS, kind, 0, int(kind == LIKE)), MOVIES)
    columns.set_features(row, one, MOVIES.unit)


def table() -> ItemColumns:
    columns = ItemColumns(SIZE)
    for row in range(SIZE):
        columns.set_item(
            row, row + 1, film(row + 1, "x", ("Drama", "War")[: row % 3], 1950 + 7 * row if row % 4 else 0)
        )
    return columns


steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, SIZE - 1), st.sampled_from([LIKE, VIEW]), st.integers(0, 40)),
        st.tuples(st.just("ask"), st.integers(0, 3), st.lists(st.booleans(), min_size=SIZE, max_size=SIZE)),
        st.tuples(st.just("item"), st.integers(0, SIZE - 1), st.integers(1900, 2030)),
        st.tuples(st.just("dated"), st.integers(0, SIZE - 1), st.integers(-1, 300 * DAY_MS)),
    ),
    max_size=40,
)


@given(steps, st.integers(1, SIZE + 2))
def test_it_gives_what_is_made_anew_at_each_moment(given_steps: list[Any], limit: int) -> None:
    columns, features = table(), dict[int, ItemFeatures]()
    standings = Standings(columns)
    for step in given_steps:
        if step[0] == "event":
            changed(columns, features, *step[1:])
        elif step[0] == "item":
            columns.set_item(step[1], step[1] + 1, film(step[1] + 1, "x", ("New",), step[2]))
        elif step[0] == "dated":
            columns.set_item(step[1], step[1] + 1, film(step[1] + 1, "x", ("New",), 0), step[2])
        else:
            at, allowed = AT + step[1] * DAY_MS // 2, np.array(step[2])
            found, fresh = standings.at(at), Standing(columns, at)
            for name in ("popular", "popular_day", "trending", "newest"):
                strengths = getattr(found, name)
                assert strengths.tobytes() == getattr(fresh, name).tobytes()
                strong = [row for row in range(SIZE) if allowed[row] and strengths[row] > 0]
                expected = sorted(strong, key=lambda row: (-strengths[row], row))[:limit]
                assert found.order(name).best(allowed, limit).tolist() == expected
            for name in ("root", "damping", "decades"):
                assert getattr(found, name).tobytes() == getattr(fresh, name).tobytes()
            assert found.is_cold == fresh.is_cold


def test_its_values_are_those_of_the_columns() -> None:
    columns, features = table(), dict[int, ItemFeatures]()
    changed(columns, features, 0, VIEW, 3)
    cold = Standing(columns, AT)
    assert cold.is_cold
    assert cold.popular.tolist() == popularity(columns, slice(0, SIZE), AT, 14.0).tolist()
    changed(columns, features, 1, LIKE, 1)
    warm = Standing(columns, AT)
    assert not warm.is_cold
    assert warm.popular_day.tolist() == popularity(columns, slice(0, SIZE), AT, 1.0, positives=True).tolist()
    both = (popularity(columns, slice(0, SIZE), AT, half_life) for half_life in (1.0, 14.0))
    assert warm.trending.tolist() == trending(*both).tolist()
    assert warm.decades.tolist() == (columns.years // 10).tolist()


def test_what_came_out_last_is_newest_and_what_is_to_come_is_not() -> None:
    columns, features = ItemColumns(SIZE), dict[int, ItemFeatures]()
    days = {0: 198, 1: 200, 2: 200, 3: 201, 5: 0}  # those of rows 4 and from 6 on are not known
    for row in range(SIZE):
        columns.set_item(row, row + 1, None, days[row] * DAY_MS + 7 if row in days else UNDATED)
    columns.set_item(6, 7, film(7, "x", (), 1995))
    changed(columns, features, 2, LIKE, 0)
    changed(columns, features, 0, LIKE, 0)
    newest = Standing(columns, AT).order("newest")
    assert newest.best(np.ones(SIZE, bool), SIZE).tolist() == [6, 2, 1, 0, 5]
    columns.grow(1)
    assert Standing(columns, AT).newest[SIZE] == 0


def test_it_is_kept_for_a_day_and_only_what_an_item_changes_is_renewed() -> None:
    columns, features = table(), dict[int, ItemFeatures]()
    changed(columns, features, 3, LIKE, 0)
    standings = Standings(columns)
    first = standings.at(AT)
    order = first.order("popular")
    assert standings.at(AT + DAY_MS // 2) is first
    assert standings.at(AT + DAY_MS) is not first
    changed(columns, features, 0, LIKE, 0)
    assert standings.at(AT) is first
    assert first.popular[0] == 1
    assert first.order("popular") is order
    for day in range(2, 2 + RETAINED):
        standings.at(AT + day * DAY_MS)
    assert standings.at(AT) is not first


def test_more_changes_than_are_remembered_and_more_rows_are_not_missed() -> None:
    columns, features = table(), dict[int, ItemFeatures]()
    changed(columns, features, 0, LIKE, 0)
    standings = Standings(columns)
    standings.at(AT).order("popular")
    changed(columns, features, 1, LIKE, 0)
    for _ in range(CHANGED):
        changed(columns, features, 0, LIKE, 0)
    assert standings.at(AT).order("popular").best(np.ones(SIZE, bool), 9).tolist() == [0, 1]
    columns.grow(5)
    assert len(standings.at(AT).popular) == SIZE + 5
    changed(columns, features, SIZE + 2, LIKE, 0)
    assert standings.at(AT).order("popular").best(np.ones(SIZE + 5, bool), 9).tolist() == [0, 1, SIZE + 2]
    assert standings.at(AT).order("popular").best(np.ones(SIZE, bool), 9).tolist() == [0, 1], "later than the moment"
