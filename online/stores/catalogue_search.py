"""Catalogue search: pages of items by facets, decade and words of the title, in one of several orders."""

import asyncio
import contextlib
import re
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import msgspec
import numpy as np

from features.arrays import BoolArray, DoubleArray, FloatArray, IntArray, smoothed_mean
from features.errors import Unavailable
from features.inputs.columns import popularity, trending
from features.types import ItemId, Millis
from online.stores.facets import FacetCounts, Filter
from online.stores.item_store import ItemStore
from online.stores.number_columns import Range

Sort = Literal["popular", "trending", "newest", "rating", "title"]
WORDS: Final = 8
"""Words of a search that count; further ones are ignored."""
WAIT_SECONDS: Final = 10.0
"""Seconds that a search waits for those before it."""
CURSOR_WORDS: Final = 100
"""Characters of a title's words that a cursor carries: the cursor of any title is a parameter of at most 1,000 characters."""
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True)
class CatalogueQuery:
    """Filters and order of a search. filters: (facet, value); decade: 1990 is 1990 to 1999; words: each begins a word of the
    title; None: no title is looked at. Empty filters match all items. unlisted: also those that lists may not show. ranges: of
    numbers; all hold. drop: sets a mask, [n] for the first n items, to False for those that the home's policy hides; called in
    another thread."""

    sort: Sort = "popular"
    filters: tuple[Filter, ...] = ()
    decade: int | None = None
    words: tuple[str, ...] | None = None
    unlisted: bool = False
    ranges: tuple[Range, ...] = ()
    drop: Callable[[BoolArray], None] | None = None


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """The end of a page: sort value and id of its last item, by title the first CURSOR_WORDS of its words. Pages never overlap
    while nothing changes; items whose sort value changes between two pages may appear twice or not at all."""

    sort: str
    value: float | str
    item_id: ItemId


def write_cursor(cursor: Cursor) -> str:
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """Decode a cursor. Raises ValueError for any other text."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ValueError(str(error)) from error


def words_of(text: str) -> tuple[str, ...]:
    """Words of a text, without case and accents. Vowel signs, as of Hindi or Thai, are part of a word.

    >>> words_of("Amélie, 2001"), words_of("हिन्दी किताब")
    (('amelie', '2001'), ('हिनदी', 'किताब'))
    """
    plain = unicodedata.normalize("NFKD", text.casefold())
    if plain.isascii():
        return tuple(_WORD.findall(plain))
    return tuple("".join(_in_word(each) for each in plain if not unicodedata.combining(each)).split())


def _in_word(letter: str) -> str:
    """A letter, digit or mark as it is, a blank for all else."""
    return letter if _WORD.fullmatch(letter) or unicodedata.category(letter).startswith("M") else " "


class Titles:
    """Normalised words of the titles, and the order by title."""

    def __init__(self, items: ItemStore) -> None:
        self._items = items
        self._words: dict[ItemId, str] = {}
        """Of items that are as the base has them."""
        self._order: tuple[int, IntArray] = (-1, np.zeros(0, np.int64))

    def words(self, item_id: ItemId) -> str:
        """The title's words, a space before each."""
        changed = self._items.catalogue.changed(item_id)
        if changed is not None:
            return _words_of_changed(changed.title)
        known = self._words.get(item_id)
        if known is None:
            item = self._items.catalogue.get(item_id)
            known = self._words[item_id] = "" if item is None else _spaced(item.title)
        return known

    def title_ranks(self) -> IntArray:
        """[N] rank of each row by title, ties by id; recomputed when the catalogue has changed."""
        changes = self._items.changes
        if self._order[0] != changes:
            ids = self._items.columns.ids[: len(self._items)].tolist()
            order = sorted(range(len(ids)), key=lambda row: (self.words(ids[row]), ids[row]))
            title_ranks = np.empty(len(ids), np.int64)
            title_ranks[order] = np.arange(len(ids))
            self._order = changes, title_ranks
        return self._order[1]

    def matching(self, rows: IntArray, words: tuple[str, ...]) -> Iterator[int]:
        """The rows whose titles have, for each of `words`, a word that begins with it."""
        ids = self._items.columns.ids
        for row in rows.tolist():
            title = self.words(int(ids[row]))
            if all(f" {word}" in title for word in words):
                yield row


def _spaced(title: str) -> str:
    return "".join(f" {word}" for word in words_of(title))


_words_of_changed = lru_cache(1 << 16)(_spaced)


class CatalogueSearch:
    """Searches a store's items page by page, and counts the values of their facets."""

    def __init__(self, items: ItemStore, timeout: float = WAIT_SECONDS) -> None:
        self._items, self._timeout = items, timeout
        self._titles = Titles(items)
        self._slot = asyncio.Semaphore(1)
        """Held for one page or count at a time: they must not slow down lists, which need the same processor."""
        self._counts: dict[str, tuple[int, FacetCounts]] = {}
        """Facet → the number of changes of items at which it was counted, and the counts."""

    async def search(
        self, wanted: CatalogueQuery, after: Cursor | None, limit: int, now: Millis
    ) -> tuple[list[int], Cursor | None]:
        """As `page`, in a thread: a search reads every title, and lists are made meanwhile. Raises Unavailable where it can't
        begin in time."""
        async with self._taken_slot():
            return await asyncio.to_thread(self.page, wanted, after, limit, now)

    async def counts(self, facet: str) -> FacetCounts:
        """How many items have each value of a facet; counted in a thread, as `search`, and again only after items have changed.
        Raises KeyError for a facet that there is not, Unavailable where it can't begin in time."""
        index = self._items.facets.by_name[facet]
        if not self._is_counted(facet):
            async with self._taken_slot():
                if not self._is_counted(facet):  # by who had the turn before
                    changes, counting = self._items.changes, index.counting()
                    self._counts[facet] = changes, await asyncio.to_thread(counting.count)
        return self._counts[facet][1]

    def _is_counted(self, facet: str) -> bool:
        return facet in self._counts and self._counts[facet][0] == self._items.changes

    @contextlib.asynccontextmanager
    async def _taken_slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                await self._slot.acquire()
        except TimeoutError as error:
            raise Unavailable(f"no search of the catalogue could begin in {self._timeout:g} s") from error
        try:
            yield
        finally:
            self._slot.release()

    def page(
        self, wanted: CatalogueQuery, after: Cursor | None, limit: int, now: int
    ) -> tuple[list[int], Cursor | None]:
        """(rows [≤ limit] in order, the cursor of the next page; None at the end)."""
        rows = self._rows(wanted, now)
        ids = self._items.columns.ids[rows]
        if wanted.sort == "title":
            title_ranks = self._titles.title_ranks()
            rows = rows[rows < len(title_ranks)]
            rows = rows[np.argsort(title_ranks[rows])]
            if after is not None:
                begin = bisect_right(rows, self._end_by_title(after), key=lambda row: self._title(int(row)))
                rows = rows[begin:]
            chosen = rows[: limit + 1]
            values: list[float | str] = [self._title(row)[0][:CURSOR_WORDS] for row in chosen.tolist()]
        else:
            strengths = self._strengths(wanted.sort, rows, now)
            if after is not None:
                value = strengths.dtype.type(after.value)
                left = (strengths < value) | ((strengths == value) & (ids > after.item_id))
                rows, ids, strengths = rows[left], ids[left], strengths[left]
            best = np.lexsort((ids, -strengths))[: limit + 1]
            chosen, values = rows[best], strengths[best].tolist()
        if len(chosen) <= limit:
            return chosen.tolist(), None
        end = Cursor(wanted.sort, values[limit - 1], int(self._items.columns.ids[chosen[limit - 1]]))
        return chosen[:limit].tolist(), end

    def _title(self, row: int) -> tuple[str, ItemId]:
        item_id = int(self._items.columns.ids[row])
        return self._titles.words(item_id), item_id

    def _end_by_title(self, cursor: Cursor) -> tuple[str, ItemId]:
        """(words, id) of a page's last item: all words of the catalogue's title while the cursor has the first ones of it."""
        value = str(cursor.value)
        words = value if self._items.catalogue.get(cursor.item_id) is None else self._titles.words(cursor.item_id)
        return (words if words[:CURSOR_WORDS] == value else value), cursor.item_id

    def _rows(self, wanted: CatalogueQuery, now: Millis) -> IntArray:
        columns, size = self._items.columns, len(self._items)
        matches = self._items.facets.mask(wanted.filters, size) & self._items.numbers.mask(wanted.ranges, size)
        matches &= self._items.present(size) if wanted.unlisted else self._items.showable(now, size)
        if wanted.drop is not None and not wanted.unlisted:
            wanted.drop(matches)
        if wanted.decade is not None:
            matches &= (columns.years[:size] >= wanted.decade) & (columns.years[:size] < wanted.decade + 10)
        rows = np.flatnonzero(matches)
        if wanted.words is None:
            return rows
        if not wanted.words:  # a text without a letter, which no title has
            return rows[:0]
        return np.fromiter(self._titles.matching(rows, wanted.words), np.int64)

    def _strengths(self, sort: str, rows: IntArray, now: int) -> FloatArray | DoubleArray:
        columns = self._items.columns
        if sort == "popular":
            return popularity(columns, rows, now, 14.0, positives=True)
        if sort == "trending":
            return trending(popularity(columns, rows, now, 1.0), popularity(columns, rows, now, 14.0))
        if sort == "newest":
            return np.asarray(self._ages()[rows], np.float64)  # of times in ms, 32 bits leave some minutes
        ratings, total = columns.sums[rows, 0], columns.sums[rows, 1]
        return np.asarray(smoothed_mean(total, ratings), np.float32)

    def _ages(self) -> IntArray:
        """[N] by what items are newer: the year by whose decades they count, else when they came out."""
        columns = self._items.columns
        return columns.dated if self._items.attributes.era is None else columns.years
