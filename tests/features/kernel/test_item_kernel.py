"""The kernel of items gives the bytes of the specification: whatever comes, in any order, taken back, stored and read."""

from hashlib import blake2b

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import IntArray
from features.errors import Broken
from features.fold.item import fold_impressions, fold_item
from features.fold.state import DAYS, ItemFeatures, encode_features
from features.kernel.contribution_rows import OF_ITEM, rows_of, slots_of_rows
from features.kernel.items.item_kernel import ItemKernel
from features.kernel.users.schema_rules import rules_of
from features.schema.tables import Schema
from features.types import CLICK, IMPRESSION, RATING, Contribution, Impressions
from features.units import DAY_MS
from tests.features.kernel.both_folds import contributions_of, uncompiled
from tests.schemas import MOVIES, SHOP, added

ITEMS = (0, 7, -5)
START = 20_000 * DAY_MS
Step = Contribution | Impressions

times = st.one_of(
    st.integers(START, START + 10),
    st.integers(0, 70).map(lambda days: START + days * DAY_MS),
    st.integers(-3, 1 << 45),
)


@st.composite
def steps(draw: st.DrawFn, schema: Schema) -> list[Step]:
    """Contributions of few items, some of them taken back, and impressions among them."""
    kinds = [kind for kind in schema.kinds if kind is not None]
    found: list[Step] = []
    for _ in range(draw(st.integers(0, 60))):
        item_id, ts = draw(st.sampled_from(ITEMS)), draw(times)
        if draw(st.integers(0, 3)) == 0:
            found.append((item_id, draw(st.integers(1, 5)), ts, ts + draw(st.integers(0, DAY_MS - ts % DAY_MS - 1))))
            continue
        kind, centi = draw(st.sampled_from(kinds)), draw(st.integers(0, 1000))
        sign, name = draw(st.sampled_from([1, 1, -1])), draw(st.sampled_from(["", "", "sku"]))
        weight = schema.weight(kind.code, centi)
        found.append(Contribution(item_id, ts, kind.code, centi, sign, weight, 5, (), name if item_id < 0 else ""))
    return found


def by_specification(log: list[Step], schema: Schema) -> list[bytes]:
    items = {item_id: ItemFeatures(item_id) for item_id in ITEMS}
    for step in log:
        if isinstance(step, Contribution):
            fold_item(items[step.item_id], step, schema)
        else:
            fold_impressions(items[step[0]], step)
    return [encode_features(items[item_id]) for item_id in ITEMS]


def by_kernel(log: list[Step], schema: Schema, size: int) -> list[bytes]:
    """The same, with at most `size` steps a call; after each the items go to other rows, by way of their stored form."""
    kernel = ItemKernel(rules_of(schema))
    for item_id in ITEMS:
        kernel.add(item_id, None)
    start = 0
    while start < len(log):
        shown = not isinstance(log[start], Contribution)
        stop = next((at for at in range(start, len(log)) if isinstance(log[at], Contribution) == shown), len(log))
        some, start = log[start : min(stop, start + size)], min(stop, start + size)
        if shown:
            impressions = np.array(some, np.int64)
            kernel.fold_shown(kernel.table.find(impressions[:, 0]), impressions)
        else:
            contributions = [step for step in some if isinstance(step, Contribution)]
            events = rows_of(contributions)[:, :OF_ITEM].copy()
            kernel.fold(kernel.table.find(events[:, 0]), events)
            for each in contributions:
                if each.item:
                    kernel.rename(int(kernel.table.find(np.array([each.item_id]))[0]), each.item)
        stored = list(kernel.states(every_item(kernel)))
        kernel.table.shrink(0)
        for which in np.random.default_rng(start).permutation(len(ITEMS)).tolist():
            kernel.add(ITEMS[which], stored[which])
    return list(kernel.states(every_item(kernel)))


def every_item(kernel: ItemKernel) -> IntArray:
    return kernel.table.find(np.array(ITEMS))


@pytest.mark.parametrize("schema", [MOVIES, SHOP], ids=["movies", "shop"])
@given(st.data(), st.integers(1, 40))
def test_the_same_items(schema: Schema, data: st.DataObject, size: int) -> None:
    log = data.draw(steps(schema))
    assert by_kernel(log, schema, size) == by_specification(log, schema)


def long_log() -> list[Step]:
    """More days than an item keeps, and some that come long after newer ones."""
    log: list[Step] = []
    for number in range(4 * DAYS):
        ts = START + (number * 7 % (3 * DAYS)) * DAY_MS
        log.append(added(ITEMS[number % len(ITEMS)], ts, RATING, 450, -1 if number % 9 == 0 else 1))
        log.append((ITEMS[number % 2], 2, ts, ts + 5))
    return log


def digest_of_long_log() -> str:
    return blake2b(repr(by_kernel(long_log(), MOVIES, 50)).encode(), digest_size=12).hexdigest()


def test_the_same_items_beyond_the_days_that_one_keeps() -> None:
    assert by_kernel(long_log(), MOVIES, 50) == by_specification(long_log(), MOVIES)


def test_uncompiled_it_gives_the_same_items() -> None:
    assert uncompiled("test_item_kernel", "digest_of_long_log()") == digest_of_long_log()


def test_which_items_have_more_than_impressions_is_said_once() -> None:
    kernel = ItemKernel(rules_of(MOVIES))
    for item_id in ITEMS:
        kernel.add(item_id, None)
    rows = every_item(kernel)
    assert kernel.fold_shown(rows[:1], np.array([[0, 1, START, START]]))  # the first is as good as an act
    assert kernel.take_acted(rows).tolist() == [True, False, False]
    assert not kernel.fold_shown(rows[:1], np.array([[0, 1, START, START]]))
    assert not kernel.fold(rows[:1], np.array([[0, START, IMPRESSION, 0, -1, 0]]))
    assert kernel.take_acted(rows).tolist() == [False, False, False]
    assert kernel.fold(rows[:2], np.array([[0, START, CLICK, 0, 1, 0], [7, START, IMPRESSION, 0, 1, 0]]))
    assert kernel.take_acted(rows).tolist() == [True, True, False]
    kernel.act(rows[2:])
    assert kernel.take_acted(rows).tolist() == [False, False, True]


def test_what_there_is_no_room_for_is_refused() -> None:
    features = ItemFeatures(7, days=[[day, 0, 0, 0, 0] for day in range(DAYS + 1)])
    with pytest.raises(Broken, match=rf"item 7: expected at most {DAYS} days, got {DAYS + 1}"):
        ItemKernel(rules_of(MOVIES)).add(7, encode_features(features))
    with pytest.raises(Broken, match="item 7: expected days of 5 numbers"):
        ItemKernel(rules_of(MOVIES)).add(7, encode_features(ItemFeatures(7, days=[[1, 2]])))
    with pytest.raises(msgspec.DecodeError):
        ItemKernel(rules_of(MOVIES)).add(7, b"\x90")


def test_rows_are_contributions() -> None:
    log = [added(7, START, CLICK, 0, 1, -(1 << 63), (1, -2)), added(-5, 1, RATING, 450, -1, (1 << 63) - 1, (3, 4, 5))]
    named = [log[0], log[1]._replace(item="sku")]
    assert contributions_of(rows_of(named), {-5: "sku"}) == named
    assert contributions_of(rows_of([]), {}) == []
    assert slots_of_rows(rows_of([])).shape == (0, 5)
