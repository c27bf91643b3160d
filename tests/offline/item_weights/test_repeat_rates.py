"""Repeats of a history: what was waited for after each taking, and what rates are made of it."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import FloatArray, IntArray
from features.base.reader import read_repeats
from features.base.repeat_lifts import span_of
from features.fold.dedupe import SeenItems
from features.fold.user import hidden_until
from features.schema.tables import preset_schema, read_schema
from features.types import FOREVER, Item
from features.units import DAY_MS, HOUR_MS
from offline.datasets.dataset import open_dataset
from offline.item_weights.repeat_rates import PRIOR, Waits, are_taken, lifts_of, waits_of, write_repeats
from tests.offline.conftest import Row
from tests.schemas import MOVIES, SHOP

HIDES = (0, HOUR_MS, 3 * HOUR_MS, FOREVER)
EVENTS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 4 * HOUR_MS), st.sampled_from(HIDES)), max_size=30
)


@given(EVENTS)
def test_waits_begin_where_the_fold_hides_an_item_no_longer(steps: list[tuple[int, int, int, int]]) -> None:
    """By the fold's own memory: from when an item may be shown again until it is taken again, hidden for good, or the end."""
    seen = defaultdict[int, SeenItems](SeenItems)
    now, expected = 0, list[tuple[int, int, bool]]()
    for n, (user, item, step, hide) in enumerate(steps):
        now += step
        if not hide:
            continue
        until = {item_id: until for item_id, _, until in seen[user].items()}.get(item, FOREVER)
        if until < now:
            expected.append((item, now - until, hide != FOREVER))
        seen[user].add(item, n, hidden_until(now, hide))
    for of_user in seen.values():
        expected += [(item, now - until, False) for item, _, until in of_user.items() if until < now]
    users, items, moved, hides = (np.array([each[at] for each in steps], np.int64) for at in range(4))
    waits = waits_of(users, items, np.cumsum(moved), hides)
    found = zip(waits.items.tolist(), waits.spent.tolist(), waits.again.tolist(), strict=True)
    assert sorted(found) == sorted(expected)
    assert waits.taken.tolist() == sorted({item for _, item, _, hide in steps if 0 < hide < FOREVER})


def waits(*of: tuple[int, float, bool]) -> Waits:
    """Waits of (item, days, whether it was taken again)."""
    items, days, again = zip(*of, strict=True)
    return Waits(
        np.unique(items),
        np.array(items),
        np.array([round(each * DAY_MS) for each in days], np.int64),
        np.array(again, bool),
    )


def item(item_id: int, **facets: str) -> Item:
    return Item(item_id, "x", {name: (value,) for name, value in facets.items()})


def lift(found: tuple[IntArray, FloatArray], item_id: int, days: float) -> float:
    ids, lifts = found
    (at,) = np.flatnonzero(ids == item_id)
    return float(lifts[at, span_of(np.array([round(days * DAY_MS)]))[0]])


def test_a_single_item_has_the_rates_that_were_counted() -> None:
    """Two waits: one of 40 hours that ends with a taking, one of 10 hours that ends with the history. A span that nobody reached
    has the mean; one that was passed without a taking has less."""
    found = lifts_of(waits((7, 40 / 24, True), (7, 10 / 24, False)), [])
    mean = 1 / (50 / 24)
    in_span = (40 - 32) / 24
    of_all = (1 + PRIOR) / (in_span + PRIOR / mean)
    assert lift(found, 7, 40 / 24) == pytest.approx((1 + PRIOR) / (in_span + PRIOR / of_all) / mean)
    assert lift(found, 7, 30) == pytest.approx(1)
    assert lift(found, 7, 20 / 24) < 1 < lift(found, 7, 40 / 24)


def test_an_item_of_which_little_is_known_has_the_rates_of_the_value_that_tells_most() -> None:
    """Soap is taken again after five days, lamps never, by either of two makers; one soap and one lamp were taken once."""
    soaps, lamps = range(1, 9), range(11, 19)
    often = [(each, 5.0, True) for each in soaps for _ in range(4)] + [
        (each, 40.0, False) for each in lamps for _ in range(4)
    ]
    found = lifts_of(
        waits(*often, (9, 1.0, False), (19, 1.0, False)),
        [
            *(item(each, maker=f"m{each % 2}", category="soap") for each in [*soaps, 9]),
            *(item(each, maker=f"m{each % 2}", category="lamp") for each in [*lamps, 19]),
        ],
    )
    assert lift(found, 9, 5) > 2 > 0.5 > lift(found, 19, 5)
    assert lift(found, 1, 5) > lift(found, 9, 5), "its own takings count, too"
    unknown = lifts_of(waits(*often, (9, 1.0, False), (19, 1.0, False)), [])
    assert lift(found, 9, 5) > lift(unknown, 9, 5) > lift(found, 19, 5)
    assert lift(unknown, 9, 5) == pytest.approx(lift(unknown, 19, 5))


def test_an_item_that_is_hidden_still_has_the_rates_of_its_values() -> None:
    often = waits(
        *[(each, 5.0, True) for each in range(1, 9)] * 4, *[(each, 40.0, False) for each in range(11, 19)] * 4
    )
    catalogue = [item(each, category="soap") for each in range(1, 10)] + [
        item(each, category="lamp") for each in range(11, 20)
    ]
    found = lifts_of(often._replace(taken=np.r_[often.taken[:8], 9, often.taken[8:], 19]), catalogue)
    assert lift(found, 9, 5) > 2 > 0.5 > lift(found, 19, 5)


@pytest.mark.parametrize(
    ("name", "change", "taken"),
    [
        ("shop", "", True),
        ("movies", "", False),
        ("video", "", False),  # a video that is left after seconds is hidden, too
        ("shop", '[events.remove_from_cart]\nweight = -0.25\nhide = "1d"\n', False),
        ("shop", '[events.add_to_cart]\nweight = 0.5\nhide = "1h"\n', True),
    ],
)
def test_what_is_hidden_was_taken_where_all_that_hides_for_a_time_speaks_for_its_item(
    name: str, change: str, taken: bool
) -> None:
    text = preset_schema(name).text()
    if change:
        head = change.split("\n")[0]
        before, _, after = text.partition(head)
        assert after, f"{head} in the preset"
        text = before + change + "\n[" + after.partition("\n[")[2]
    assert are_taken(read_schema(text, "here")) is taken


def test_where_nothing_was_taken_again_nothing_is_known() -> None:
    ids, lifts = lifts_of(waits((7, 3, False)), [item(7, category="soap")])
    assert len(ids) == len(lifts) == 0


def test_a_shops_history_gives_repeats(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    day = DAY_MS // 1000
    events = [f"u{user},soap,purchase,{1_700_000_000 + each * 10 * day}" for user in range(5) for each in range(5)] + [
        f"u{user},lamp,purchase,{1_700_000_000 + user}" for user in range(5)
    ]
    (folder / "events.csv").write_text("\n".join(["user,item,event,timestamp", *events]) + "\n")
    (folder / "items.csv").write_text("item,title,category\nsoap,Soap,bath\nlamp,Lamp,light\n")
    dataset = open_dataset(str(folder), tmp_path / "data", SHOP)
    assert write_repeats(dataset, dataset.rows, SHOP, tmp_path / "repeats") == 2
    soap, lamp = (SHOP.ids.inside(name) for name in ("soap", "lamp"))
    repeats = read_repeats(tmp_path / "repeats", np.array([soap, lamp]))
    soon, due = (repeats.lifts(np.arange(2), np.full(2, days * DAY_MS)) for days in (1, 3))
    assert due[0] > 1 > due[1], "a purchase hides an item for seven days, soap is bought three days later"
    assert soon[0] < 1


def test_a_history_of_films_gives_none(some_rows: list[Row], write_folder: Callable[..., Path], tmp_path: Path) -> None:
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data", MOVIES)
    assert write_repeats(dataset, dataset.rows, MOVIES, tmp_path / "repeats") == 0
    assert read_repeats(tmp_path / "repeats", np.array([1])).lifts(np.array([0]), np.array([DAY_MS])).tolist() == [1]
