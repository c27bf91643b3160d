"""One contract for every recall channel, and the merge of them."""

import numpy as np
import pytest

from features.base import Base
from features.fold import thaw_user
from features.inputs import ClickWeights, Ints
from features.pairs import Neighbours
from features.signals import Moment
from features.state import UserFeatures
from online.items import ItemStore
from online.recall import CHANNELS, Query, Recall, merge
from tests.online.conftest import DAY

AT = 101 * DAY
CHANNEL = {channel.name: channel for channel in CHANNELS}


def query_for(store: ItemStore, features: UserFeatures, hidden: list[int] | None = None) -> Query:
    allowed = np.ones(len(store), bool)
    allowed[store.rows(hidden or [])] = False
    return Query(Moment(features, AT, store.index, ClickWeights(), allowed))


def known_user(base: Base) -> UserFeatures:
    stored = base.stored_user(7)
    assert stored is not None
    return thaw_user(stored).features


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
class TestEveryChannel:
    def test_it_gives_allowed_rows_once_and_no_more_than_asked(self, channel: Recall, base: Base) -> None:
        store = ItemStore(base)
        hidden = [1, 3, 40, 39, 5]
        for features in (known_user(base), UserFeatures(99)):
            rows = channel.recall(query_for(store, features, hidden), 8)
            assert rows.dtype == np.int64
            assert len(rows) <= 8
            assert len(set(rows.tolist())) == len(rows)
            assert not set(store.columns.ids[rows].tolist()) & set(hidden)

    def test_it_is_deterministic(self, channel: Recall, base: Base) -> None:
        answers = [channel.recall(query_for(ItemStore(base), known_user(base)), 10).tolist() for _ in range(2)]
        assert answers[0] == answers[1]

    def test_with_nothing_allowed_it_gives_nothing(self, channel: Recall, base: Base) -> None:
        store = ItemStore(base)
        everything = store.columns.ids.tolist()
        assert channel.recall(query_for(store, known_user(base), everything), 10).tolist() == []


def ids(store: ItemStore, rows: Ints) -> list[int]:
    return [int(each) for each in store.columns.ids[rows]]


def test_each_channel_does_what_its_name_says(base: Base) -> None:
    store = ItemStore(base)
    query = query_for(store, known_user(base))
    found = {channel.name: ids(store, channel.recall(query, 5)) for channel in CHANNELS}
    assert found["popular"] == [40, 39, 38, 37, 36]
    assert found["genre"] == [39, 37, 35, 33, 31]  # the user has liked comedies only
    assert found["similar"] == found["ease"] == [6, 5, 3]  # 6 is near both films that were liked
    assert found["together"] == []
    near = Neighbours(3, 1, AT, [(9, 3), (10, 1), (12345, 1)])
    store.put_neighbours(near)
    assert ids(store, CHANNEL["together"].recall(query_for(store, known_user(base)), 5)) == [9, 10]


def test_merging_takes_the_best_places_names_channels_and_skips_one_that_fails(base: Base) -> None:
    class Failing:
        name = "failing"

        def recall(self, query: Query, limit: int) -> Ints:
            raise RuntimeError("out of order")

    store = ItemStore(base)
    found = merge((Failing(), *CHANNELS), query_for(store, known_user(base)), 20)
    assert found.failed == ("failing",)
    assert len(found.rows) == 20
    assert len(set(found.rows.tolist())) == 20
    place_of_39 = found.rows.tolist().index(store.row(39))
    assert found.channels(place_of_39) == ("popular_day", "popular", "genre")
    assert found.votes()[place_of_39] == 3
    assert ids(store, found.rows[:3]) == [
        6,
        40,
        39,
    ]  # best of all first: of ease and similar, of the popular, of the genre


def test_a_new_item_is_recalled_as_soon_as_the_stream_speaks_of_it(base: Base) -> None:
    from features.item_fold import fold_item
    from features.state import ItemFeatures
    from features.words import LIKE, Contribution

    store = ItemStore(base)
    features = ItemFeatures(5000)
    for number in range(60):
        features = fold_item(features, Contribution(5000, AT + number, LIKE, 0, 1))
    store.put(5000, features)
    popular = CHANNEL["popular"].recall(query_for(store, UserFeatures(1)), 3)
    assert ids(store, popular)[0] == 5000
