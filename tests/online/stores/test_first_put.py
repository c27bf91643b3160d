"""When an item was first put, by which it is new: the same whether the API has read its records or a base of the log holds it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.harness.base_writer import write_small_base
from features.base.reader import Base
from features.contracts.items import read_item, write_item
from features.types import Item
from features.units import DAY_MS
from offline.base.from_log import read_catalogue
from offline.base.kafka_log import Record, Span
from online.stores.catalogue_search import CatalogueQuery, CatalogueSearch
from online.stores.first_puts import NEW_FOR_MS
from online.stores.item_store import ItemStore
from tests.schemas import SHOP

NOW = 101 * DAY_MS


def item(number: int, at: int, title: str = "New", **more: Any) -> Item:
    return Item(number, title, ts=at, **more)


RECORDS = [
    *(item(50 - number, NOW + number) for number in range(12)),
    item(45, NOW + 20, "Changed"),
    item(44, NOW + 21, deleted=True),
    item(46, NOW + 22, deleted=True),
    item(46, NOW + 23, "Again"),
    item(1, NOW + 24, "Changed"),
    item(46, NOW + 25, "Changed"),
]
"""Of the topic `items`, in its order: the items 50, 49, … 39, of which 44 goes and 46 goes and comes back; 1 came with the data
set."""
NEWEST_FIRST = [46, *range(39, 44), 45, *range(47, 51)]
"""Those that were put, by when."""


class Topic:
    """The topic `items`, as a base of the log reads it."""

    def read(self, span: Span) -> Iterator[Record]:
        for offset in range(span.start, span.end):
            yield Record(offset, 0, None, write_item(RECORDS[offset], SHOP.items))


def based(folder: Path, previous: Base, end: int) -> Base:
    """The base of the log up to record `end` that goes on from another one."""
    log: Any = Topic()
    items = read_catalogue(log, previous, end).items(end)
    versions = dict.fromkeys(map(str, range(8)), end)
    manifest = {"cut": NOW, "partitions": 8, "catalogue_versions": versions}
    write_small_base(folder, SHOP, manifest, list(items))
    return Base(folder)


def first(folder: Path) -> Base:
    write_small_base(folder, SHOP, {"cut": NOW, "partitions": 8}, [Item(1, "Old"), Item(2, "Old")])
    return Base(folder)


def by_age(store: ItemStore) -> tuple[list[int], list[int]]:
    """The newest items, and all by `sort=newest`."""
    rows, _ = CatalogueSearch(store).page(CatalogueQuery("newest"), None, 20, NOW)
    return store.columns.ids[store.first_puts.newest(NOW + 30)].tolist(), store.columns.ids[rows].tolist()


@pytest.mark.parametrize("end", range(len(RECORDS) + 1))
def test_what_is_new_is_the_same_after_a_base_of_the_log(tmp_path: Path, end: int) -> None:
    """The API reads what came after record `end`, which is where the base ends, and a base before that in its middle."""
    middle = based(tmp_path / "2", first(tmp_path / "1"), end // 2)
    store = ItemStore(based(tmp_path / "3", middle, end))
    for record in RECORDS[end:]:
        store.put_item(read_item(write_item(record, SHOP.items), SHOP))
    assert by_age(store) == (NEWEST_FIRST, [*NEWEST_FIRST, 1, 2])
    assert not len(store.first_puts.newest(NOW + 30 + NEW_FOR_MS))


def test_a_base_of_before_has_no_times_and_reads_as_if_all_came_with_the_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    write_small_base(folder, SHOP, {"cut": NOW, "partitions": 8}, [item(3, 0), item(4, 0), item(5, 0)])
    store = ItemStore(Base(folder))
    store.put_item(item(4, NOW, "Changed"))
    store.put_item(item(9, NOW - 1))
    assert by_age(store) == ([9], [9, 3, 4, 5])


def test_an_item_whose_records_were_lost_is_as_old_as_the_base_says(tmp_path: Path) -> None:
    store = ItemStore(based(tmp_path / "2", first(tmp_path / "1"), 12))
    for record in RECORDS[12:]:
        store.put_item(record)
    for item_id in sorted(store.catalogue.changed_ids()):
        store.take_back(item_id)
    assert by_age(store)[0] == [*range(39, 51)]


def test_what_events_told_of_is_new_once_it_is_put(tmp_path: Path) -> None:
    store = ItemStore(first(tmp_path / "1"))
    known = msgspec.structs.replace(store.item_of(7), deleted=True)
    store.put_item(known)
    assert by_age(store)[0] == []
    store.put_item(item(7, NOW))
    assert by_age(store) == ([7], [7, 1, 2])
