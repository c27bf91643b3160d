"""Items are read as far as marks demand, once, and by no version that is not there."""

import pytest

from features.contracts.items import compile_item, write_item
from features.errors import Unavailable
from features.fold.catalogue import CatalogueVersions
from features.types import Item
from streaming.operators.items_reader import CANCEL_EVERY, ItemsReader
from streaming.testing.memory_items import MemoryItems
from tests.schemas import MOVIES


def put(topic: MemoryItems, item: int | str, genre: str, title: str = "x", ts: int = 0) -> int:
    outer, fields = item if isinstance(item, str) else "", {"title": title, "genres": [genre]}
    made = compile_item(MOVIES.ids.inside(item), fields, 0, MOVIES.items, outer)
    return topic.put(write_item(made, MOVIES.items), ts)


def tastes(versions: CatalogueVersions, item_id: int, version: int) -> tuple[str, ...] | None:
    item = versions.item(item_id, version)
    return None if item is None else item.tastes


def test_each_version_has_the_items_of_then() -> None:
    topic, asked = MemoryItems(), []

    def connect() -> MemoryItems:
        asked.append(1)
        return topic

    versions = CatalogueVersions({1: Item(1, "", tastes=("base",)), 2: Item(2, "", tastes=("other",))})
    reader = ItemsReader(versions, MOVIES, connect)
    assert reader.reach(0)
    assert not asked, "without a mark nobody is asked"
    put(topic, 1, "first")
    topic.put(b"no item")
    put(topic, "SKU", "named")
    put(topic, 1, "last")
    assert reader.reach(3)
    assert not reader.reach(5), "there are only four"
    assert reader.reach(4)
    assert [tastes(versions, 1, version) for version in range(5)] == [("base",), *[("first",)] * 3, ("last",)]
    named = MOVIES.ids.inside("SKU")
    assert [tastes(versions, named, version) for version in (2, 3)] == [None, ("named",)]
    assert [item.tastes for item in versions.items(4)] == [("named",), ("last",), ("other",)]
    assert (versions.end, asked) == (4, [1])


def test_what_the_fold_does_not_read_is_not_kept() -> None:
    topic, versions = MemoryItems(), CatalogueVersions({})
    for number in range(1_000):
        put(topic, 1, "Drama", f"Title {number}")
    put(topic, 1, "War")
    put(topic, 1, "Drama")
    assert ItemsReader(versions, MOVIES, lambda: topic).reach(1_002)
    assert versions.changes == 3
    assert [tastes(versions, 1, version) for version in (1, 1_000, 1_001, 1_002)] == [
        ("Drama",), ("Drama",), ("War",), ("Drama",),
    ]  # fmt: skip


def test_a_long_topic_is_read_no_further_once_the_task_is_cancelled() -> None:
    topic, versions = MemoryItems(), CatalogueVersions({})
    for number in range(3 * CANCEL_EVERY):
        put(topic, number, "Drama")
    reader = ItemsReader(versions, MOVIES, lambda: topic, lambda: versions.end > CANCEL_EVERY)
    with pytest.raises(Unavailable, match=f"cancelled at {2 * CANCEL_EVERY}, before {3 * CANCEL_EVERY}"):
        reader.reach(3 * CANCEL_EVERY)
    assert versions.end == 2 * CANCEL_EVERY


def test_what_was_taken_is_passed_over() -> None:
    versions = CatalogueVersions({}, 5)
    versions.put(4, 0, Item(1, "too old"))
    versions.put(5, 0, Item(1, "new"))
    versions.put(5, 0, Item(1, "again"))
    assert [versions.item(1, version) for version in (5, 6)] == [None, Item(1, "new")]
    versions.arrivals.pass_to(9)
    assert versions.end == 9


def test_a_mark_may_name_what_was_there_when_it_came_however_late_it_is_read() -> None:
    topic = MemoryItems()
    for ts in (10, 20, 30):
        put(topic, 1, f"at {ts}", ts=ts)
    for read_before in (0, 3):
        reader = ItemsReader(CatalogueVersions({}), MOVIES, lambda: topic)
        reader.reach(read_before)
        assert [reader.allows(version, 20) for version in range(5)] == [True, True, True, False, False]
    later = CatalogueVersions({}, 2)
    later.put(2, 30, None)
    later.arrivals.pass_to(5)  # what a transaction leaves at the end has no time
    assert [later.arrivals.holds(version, 29) for version in (1, 2, 3, 5)] == [True, True, False, False]
    assert [later.arrivals.holds(version, 30) for version in (3, 5, 6)] == [True, True, False]
