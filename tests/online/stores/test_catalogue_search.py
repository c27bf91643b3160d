"""Catalogue search: its pages hold every item once, for any order and any page size."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from features.errors import Unavailable
from features.inputs.columns import trending
from features.schema.tables import preset_schema
from features.types import Item
from features.units import DAY_MS
from online.stores.catalogue_search import (
    CatalogueQuery,
    CatalogueSearch,
    Cursor,
    Sort,
    read_cursor,
    words_of,
    write_cursor,
)
from online.stores.facets import Filter
from online.stores.item_store import ItemStore
from tests.online.conftest import write_base
from tests.patience import patience
from tests.schemas import film

NOW = 101 * DAY_MS


def all_pages(listing: CatalogueSearch, wanted: CatalogueQuery, limit: int) -> list[int]:
    rows: list[int] = []
    after = None
    for _ in range(100):
        page, after = listing.page(wanted, after, limit, NOW)
        rows += page
        if after is None:
            return rows
        assert len(page) == limit
        after = read_cursor(write_cursor(after))
    raise AssertionError(f"expected an end, got {len(rows)} items of 40")


@pytest.mark.parametrize("sort", get_args(Sort))
@pytest.mark.parametrize("limit", [1, 7, 40, 100])
def test_pages_together_are_the_whole_in_the_same_order(store: ItemStore, sort: Sort, limit: int) -> None:
    listing = CatalogueSearch(store)
    whole = all_pages(listing, CatalogueQuery(sort), 100)
    assert sorted(whole) == list(range(len(store)))
    assert all_pages(listing, CatalogueQuery(sort), limit) == whole


LONG_TITLES = [
    "\u1112\u1161\u11ab" * 166,  # 한, as its three letters
    "한" * 500,
    "한" * 499 + "가",
    "\U00010428" * 500,
    "\ufdfa" * 500,  # 18 letters each
    "𝕩 " * 250,
]


def test_a_cursor_of_any_title_can_be_sent_and_leads_on(store: ItemStore) -> None:
    for number, title in enumerate(LONG_TITLES, start=500):
        store.put_item(film(number, title))
    listing = CatalogueSearch(store)
    whole, end = listing.page(CatalogueQuery("title"), None, 100, NOW)
    assert (len(whole), end) == (40 + len(LONG_TITLES), None)
    assert all_pages(listing, CatalogueQuery("title"), 1) == whole
    ends = [listing.page(CatalogueQuery("title"), None, limit, NOW)[1] for limit in range(1, len(whole))]
    assert max(len(write_cursor(each)) for each in ends if each is not None) <= 1000


def test_a_page_by_title_goes_on_where_the_last_title_has_changed_or_is_unknown(store: ItemStore) -> None:
    listing = CatalogueSearch(store)
    page, end = listing.page(CatalogueQuery("title"), None, 3, NOW)
    assert end is not None
    store.put_item(film(end.item_id, "Zulu"))
    rest, _ = listing.page(CatalogueQuery("title"), end, 100, NOW)
    assert (rest[:-1], rest[-1]) == (
        [row for row in all_pages(listing, CatalogueQuery("title"), 100) if row not in page],
        page[-1],
    )
    for unknown in (10_000, 2**70):
        assert listing.page(CatalogueQuery("title"), Cursor("title", end.value, unknown), 100, NOW)[0] == rest


class ItemsMeanwhile(tuple[Filter, ...]):
    """Filters; while they are read an item comes, as it may while a search runs in its thread."""

    store: ItemStore

    def __iter__(self) -> Iterator[Filter]:
        self.store.put_item(film(1_000 + len(self.store), "Came meanwhile"))
        return super().__iter__()


@pytest.mark.parametrize("unlisted", [False, True])
@pytest.mark.parametrize("sort", get_args(Sort))
def test_items_that_come_while_it_is_searched_are_found_later(store: ItemStore, sort: Sort, unlisted: bool) -> None:
    filters = ItemsMeanwhile()
    filters.store = store
    listing, size = CatalogueSearch(store), len(store)
    page, _ = listing.page(CatalogueQuery(sort, filters, unlisted=unlisted), None, 100, NOW)
    assert sorted(page) == list(range(size))
    assert len(store) == size + 1


class Slow(tuple[Filter, ...]):
    """Filters that are read once a search has been let go on."""

    go_on: threading.Event

    def __iter__(self) -> Iterator[Filter]:
        assert self.go_on.wait(20)
        return super().__iter__()


def test_a_search_waits_for_the_one_before_it_but_not_for_ever(store: ItemStore) -> None:
    filters = Slow()
    filters.go_on = threading.Event()

    async def run() -> None:
        listing = CatalogueSearch(store, timeout=0.05)
        first = asyncio.create_task(listing.search(CatalogueQuery("popular", filters), None, 3, NOW))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="no search of the catalogue could begin"):
            await listing.search(CatalogueQuery(), None, 3, NOW)
        filters.go_on.set()
        async with asyncio.timeout(patience(20)):
            assert await first == await listing.search(CatalogueQuery(), None, 3, NOW)

    asyncio.run(run())


def test_popular_is_what_is_liked_most(store: ItemStore) -> None:
    rows, _ = CatalogueSearch(store).page(CatalogueQuery("popular"), None, 3, NOW)
    assert store.columns.ids[rows].tolist() == [40, 39, 38]


def test_titles_come_by_their_words(store: ItemStore) -> None:
    rows, _ = CatalogueSearch(store).page(CatalogueQuery("title"), None, 3, NOW)
    assert store.columns.ids[rows].tolist() == [1, 10, 11]


def test_a_page_is_of_one_genre_and_decade(store: ItemStore) -> None:
    rows = all_pages(CatalogueSearch(store), CatalogueQuery("newest", (("genres", "Comedy"),), 1990), 4)
    assert store.columns.years[rows].tolist() == [1999, 1997, 1995, 1993, 1991]
    whole = all_pages(CatalogueSearch(store), CatalogueQuery("newest", (), 1990), 4)
    assert store.columns.years[whole].tolist() == list(range(1999, 1989, -1))
    assert all_pages(CatalogueSearch(store), CatalogueQuery("newest", (), 1850), 4) == []


@pytest.mark.parametrize(("preset", "newest"), [("news", [103, 101, 102]), ("shop", [102, 103, 101])])
def test_where_items_have_no_year_the_newest_are_by_the_schemas_time_or_when_they_were_first_put(
    tmp_path: Path, preset: str, newest: list[int]
) -> None:
    store = ItemStore(write_base(tmp_path / "1", preset_schema(preset)))
    for at, (item_id, day) in enumerate(((101, 2_000), (103, 3_000), (102, 1_000), (101, 2_000)), NOW):
        store.put_item(Item(item_id, "New", {}, {"published": day * DAY_MS}, ts=at))
    rows, _ = CatalogueSearch(store).page(CatalogueQuery("newest"), None, 3, NOW)
    assert store.columns.ids[rows].tolist() == newest


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_the_newest_are_in_order_to_the_millisecond(tmp_path: Path, limit: int) -> None:
    store = ItemStore(write_base(tmp_path / "1", preset_schema("news")))
    ids = [*range(50, 60, 2), *range(51, 60, 2)]
    for later, item_id in enumerate(ids):
        store.put_item(Item(item_id, "New", {}, {"published": 1_795_685_165_553 + later}))
    rows = all_pages(CatalogueSearch(store), CatalogueQuery("newest"), limit)
    assert store.columns.ids[rows].tolist() == [*reversed(ids), *range(1, 41)]


@pytest.mark.parametrize(("typed", "count"), [("fi", 40), ("film 3", 11), ("3 FILM", 11), ("film 3 x", 0), ("ilm", 0)])
def test_each_word_typed_begins_a_word_of_the_title(store: ItemStore, typed: str, count: int) -> None:
    assert len(all_pages(CatalogueSearch(store), CatalogueQuery(words=words_of(typed)), 100)) == count


def test_words_have_neither_case_nor_accents() -> None:
    assert words_of("Amélie, LE fabuleux-destin (2001)") == ("amelie", "le", "fabuleux", "destin", "2001")


@pytest.mark.parametrize("text", ["", "x", "AAAA", "WzFd", "W10", "é", "bm90IGpzb24"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_cursor(text)


def test_a_cursor_is_what_it_was_made_of() -> None:
    for cursor in (Cursor("title", " é 1", 3), Cursor("popular", float(np.float32(0.1)), 2**60)):
        assert read_cursor(write_cursor(cursor)) == cursor


def test_trending_is_more_than_usual_and_a_little_says_little() -> None:
    steady, risen, once = trending(np.array([10, 20, 1], np.float32), np.array([140, 140, 1], np.float32))
    assert steady == 0
    assert risen > once > steady
    rising = trending(np.array([1, 2, 4, 8], np.float32), np.array([8, 8, 8, 8], np.float32))
    assert all(one < other for one, other in pairwise(rising))


def test_a_word_of_hindi_is_one_word(tmp_path: Path) -> None:
    store = ItemStore(write_base(tmp_path / "1"))
    for number, title in ((901, "किताब"), (902, "काला ताब कि"), (903, "नई किताबें")):
        store.put_item(Item(number, title, ts=NOW))
    found, _ = CatalogueSearch(store).page(CatalogueQuery(words=words_of("किता")), None, 100, NOW)
    assert sorted(store.columns.ids[found].tolist()) == [901, 903]
