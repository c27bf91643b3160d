"""What a batch does to items, by lane."""

from features.fold.co_visits import Pairs, slots_of
from features.fold.item import fold_item
from features.fold.state import ItemFeatures
from features.types import LIKE, Contribution
from streaming.lanes import lane_of_item
from streaming.operators.item_deltas import deltas_of, lane_of_delta, read_delta
from tests.schemas import MOVIES, added

ADDED = [added(item, 1000 + item, LIKE, 0, 1, 77 + item, tuple(range(item + 1, item + 4))) for item in range(1, 40)] + [
    added(1, 1001, LIKE, 0, -1, 78, (2, 3, 4))
]


def test_each_item_gets_in_its_lane_what_the_plain_fold_gives_it() -> None:
    items: dict[int, ItemFeatures] = {}
    pairs: dict[int, Pairs] = {}
    for each in ADDED:
        items[each.item_id] = fold_item(items.get(each.item_id) or ItemFeatures(each.item_id), each, MOVIES)
        for item_id, *slot in slots_of(each):
            pairs.setdefault(item_id, Pairs(item_id)).fold(*slot)
    split_items: dict[int, ItemFeatures] = {}
    split_pairs: dict[int, Pairs] = {}
    for number, data in deltas_of(ADDED, 5).items():
        delta = read_delta(data)
        assert number == lane_of_delta(data) == delta.lane
        assert delta.broker_ts == 5
        for item_id, ts, kind, centi, sign, weight in delta.events:
            assert lane_of_item(item_id) == delta.lane
            item = split_items.get(item_id) or ItemFeatures(item_id)
            split_items[item_id] = fold_item(item, Contribution(item_id, ts, kind, centi, sign, weight), MOVIES)
        for item_id, ts, key, other, sign in delta.slots:
            assert lane_of_item(item_id) == delta.lane
            split_pairs.setdefault(item_id, Pairs(item_id)).fold(ts, key, other, sign)
    assert split_items == items
    assert {item_id: each.encode() for item_id, each in split_pairs.items()} == {
        item_id: each.encode() for item_id, each in pairs.items()
    }


def test_nothing_added_is_no_message() -> None:
    assert deltas_of([], 5) == {}
