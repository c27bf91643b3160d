"""What a batch does to items, by lane."""

import pytest

from features.fold.co_visits import Pairs, slots_of
from features.fold.item import fold_item
from features.fold.state import ItemFeatures
from features.types import CLICK, IMPRESSION, LIKE, Contribution
from features.units import DAY_MS
from streaming.lanes import Lanes
from streaming.operators.item_deltas import lane_of_delta, read_delta
from tests.schemas import MOVIES, added
from tests.streaming.deltas import deltas

ADDED = [
    added(item, 1000 + item, LIKE, 0, 1, 77 + item, tuple(range(item + 1, item + 4))) for item in range(1, 400)
] + [added(1, 1001, LIKE, 0, -1, 78, (2, 3, 4))]

BEFORE = bytes.fromhex("9506cd03e892960bcd03e700000100960bcd03e80400010190810ba5534b552d31")
"""A message as it was when impressions were events, one by one, and events lists of numbers."""


@pytest.mark.parametrize("number_of_lanes", [1, 8, 64, 256])
def test_each_item_gets_in_its_lane_what_the_plain_fold_gives_it(number_of_lanes: int) -> None:
    lanes = Lanes(number_of_lanes)
    items: dict[int, ItemFeatures] = {}
    pairs: dict[int, Pairs] = {}
    for each in ADDED:
        items[each.item_id] = fold_item(items.get(each.item_id) or ItemFeatures(each.item_id), each, MOVIES)
        for item_id, *slot in slots_of(each):
            pairs.setdefault(item_id, Pairs(item_id)).fold(*slot)
    split_items: dict[int, ItemFeatures] = {}
    split_pairs: dict[int, Pairs] = {}
    for number, data in deltas(ADDED, [], 5, lanes).items():
        delta = read_delta(data)
        assert number == lane_of_delta(data) == delta.lane
        assert delta.broker_ts == 5
        for item_id, ts, kind, centi, sign, weight in delta.events.tolist():
            assert lanes.of_item(item_id) == delta.lane
            item = split_items.get(item_id) or ItemFeatures(item_id)
            split_items[item_id] = fold_item(item, Contribution(item_id, ts, kind, centi, sign, weight), MOVIES)
        for item_id, ts, key, other, sign in delta.slots.tolist():
            assert lanes.of_item(item_id) == delta.lane
            split_pairs.setdefault(item_id, Pairs(item_id)).fold(ts, key, other, sign)
    assert split_items == items
    assert {item_id: each.encode() for item_id, each in split_pairs.items()} == {
        item_id: each.encode() for item_id, each in pairs.items()
    }


def test_nothing_added_is_no_message() -> None:
    assert deltas([], [], 5) == {}


def shown_in(messages: dict[int, bytes]) -> list[tuple[int, ...]]:
    return sorted(tuple(each) for data in messages.values() for each in read_delta(data).shown.tolist())


def test_an_item_shown_in_several_lists_is_said_once_a_day_with_its_count_and_times() -> None:
    noon = 20_000 * DAY_MS + DAY_MS // 2
    lists = [(noon + 3, (5, 6)), (noon + 7, (6, 5)), (noon, (5,)), (noon - DAY_MS, (5,)), (-1, (6,))]
    assert shown_in(deltas([], lists, 5)) == [
        (5, 1, noon - DAY_MS, noon - DAY_MS),
        (5, 3, noon, noon + 7),
        (6, 1, -1, -1),
        (6, 2, noon + 3, noon + 7),
    ]


def test_an_impression_that_is_an_event_is_one_more_and_taken_back_it_is_an_event() -> None:
    seen = Contribution(5, 1000, IMPRESSION, 0, 1, item="SKU-1")
    messages = deltas([seen, seen._replace(sign=-1), added(5, 1002, CLICK, 0, 1)], [(1001, (5,))], 5)
    assert shown_in(messages) == [(5, 2, 1000, 1001)]
    (delta,) = map(read_delta, messages.values())
    assert [tuple(event[2:5]) for event in delta.events.tolist()] == [(IMPRESSION, 0, -1), (CLICK, 0, 1)]
    assert delta.names == {5: "SKU-1"}


def test_a_message_of_before_is_read() -> None:
    delta = read_delta(BEFORE)
    assert delta.events.tolist() == [[11, 999, IMPRESSION, 0, 1, 0], [11, 1000, LIKE, 0, 1, 1]]
    assert (delta.broker_ts, delta.slots.tolist(), delta.names, delta.shown.tolist()) == (1000, [], {11: "SKU-1"}, [])
