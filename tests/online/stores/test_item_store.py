"""The item store's summaries of one item, so that no other module reads its columns."""

from random import Random

import pytest

from features.fold.state import ItemFeatures
from features.types import FOREVER, Item
from features.units import DAY_MS
from online.stores.first_puts import NEWEST
from online.stores.item_names import HEARD
from online.stores.item_store import ItemStore
from online.support import metrics
from tests.schemas import film

NOW = 101 * DAY_MS
FORGOTTEN = "martlet_item_names_forgotten_total"


def row_of(store: ItemStore, item_id: int) -> int:
    row = store.row(item_id)
    assert row is not None
    return row


def test_totals_are_of_all_events(store: ItemStore) -> None:
    totals = store.totals(row_of(store, 3))
    assert (totals.ratings, totals.positives, totals.events) == (3, 3, 3)
    assert (totals.mean_rating, totals.rating_spread) == (4.0, 0.0)
    assert totals.first_event_ts == 100 * DAY_MS


def test_an_item_without_events_has_no_mean(store: ItemStore) -> None:
    store.put_item(film(500, "New", ("War",), 0, ts=NOW))
    totals = store.totals(row_of(store, 500))
    assert (totals.ratings, totals.mean_rating, totals.rating_spread, totals.first_event_ts) == (0, None, None, None)


def test_popularity_comes_in_the_order_of_the_rows(store: ItemStore) -> None:
    rows = [row_of(store, 40), row_of(store, 2)]
    (day, weeks), (few, _) = store.popularity(rows, NOW)
    assert day == pytest.approx(20.0)
    assert 20 < weeks < 40
    assert few == pytest.approx(1.0)


def test_an_item_that_the_catalogue_does_not_have_is_called_by_its_id(store: ItemStore) -> None:
    assert store.title_of(3) == "Film 3"
    assert store.title_of(999) == "Item 999"
    store.put_features(999, ItemFeatures(999))
    assert store.item_at(row_of(store, 999)) == Item(999, "Item 999")


def test_names_that_events_tell_are_forgotten_in_the_end_unless_the_item_has_a_row(store: ItemStore) -> None:
    forgotten = metrics.REGISTRY.get_sample_value(FORGOTTEN) or 0.0
    store.names.hear(-5, "kept")
    store.put_features(-5, ItemFeatures("kept"))
    store.names.hear(-6, "told again")
    for number in range(HEARD):
        store.names.hear(-1_000 - number, f"made up {number}")
        if number == 5:
            store.names.hear(-6, "told again")
    assert [store.shown(each) for each in (-5, -6, -1_000, -1_007)] == ["kept", "told again", -1_000, "made up 7"]
    assert metrics.REGISTRY.get_sample_value(FORGOTTEN) == forgotten + 1


def test_only_the_newest_of_new_items_count_as_new(store: ItemStore) -> None:
    for number in range(NEWEST + 10):
        store.put_item(film(1_000 + number, "New", ts=NOW + number))
    store.put_item(film(1_000 + NEWEST, "Changed", ts=NOW + 5_000))
    store.put_item(film(1_000 + NEWEST + 1, "Deleted", ts=NOW, deleted=True))
    newest = store.columns.ids[store.first_puts.newest(NOW + 5_000)].tolist()
    assert newest == [1_000 + at for at in range(NEWEST + 9, 8, -1) if at != NEWEST + 1]
    assert not len(store.first_puts.newest(NOW + 40 * DAY_MS))


def test_what_may_be_shown_is_kept_until_an_item_expires_or_changes(store: ItemStore) -> None:
    chance = Random(5)
    until = dict.fromkeys(store.columns.ids.tolist(), FOREVER)
    for _ in range(200):
        at = chance.randrange(13)
        expected = [until[item_id] > at for item_id in store.columns.ids[: len(store)].tolist()]
        assert store.showable(at).tolist() == expected
        store.showable(at)[:] = False  # it is the caller's own
        if chance.random() < 0.4:
            item_id, expires = chance.randrange(1, 60), chance.choice([0, 5, 9])
            store.put_item(Item(item_id, "x", expires=expires, available=chance.random() < 0.8, ts=1))
            item = store.catalogue.get(item_id)
            assert item is not None
            until[item_id] = (expires or FOREVER) if item.available else 0
