"""Items through a log: no change is lost, and every wait ends."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.base.reader import Base
from features.contracts.items import change_item, compile_item, write_item
from features.errors import BadInput, Unavailable
from features.fold.state import ItemFeatures
from features.types import Item
from online.processes.catalogue_version import CatalogueVersions
from online.stores.item_store import ItemStore
from online.stores.item_topic import ItemTopic
from tests.online.stores.memory_log import MemoryLog
from tests.patience import patience

NOW = 9


def record(store: ItemStore, number: int, **fields: Any) -> bytes:
    return write_item(compile_item(number, fields, NOW, store.attributes), store.attributes)


@contextlib.asynccontextmanager
async def running(
    log: MemoryLog,
    store: ItemStore,
    timeout: float = 5.0,
    versions: CatalogueVersions | None = None,
    patience: float = 0.05,
) -> AsyncIterator[tuple[ItemTopic, list[int]]]:
    """A topic, and the versions that it notes."""
    noted: list[int] = []
    topic = ItemTopic(log, store, noted.append, 0, versions, timeout, retry=0.01, patience=patience)
    await topic.start()
    try:
        yield topic, noted
    finally:
        await topic.stop()


async def put(topic: ItemTopic, store: ItemStore, number: int, **fields: Any) -> None:
    item = compile_item(number, fields, NOW, store.attributes)
    async with topic.changing() as change:
        change.put(item, write_item(item, store.attributes))


async def patch(topic: ItemTopic, store: ItemStore, number: int, **fields: Any) -> None:
    async with topic.changing() as change:
        known = change.latest(number, "")
        assert known is not None
        item = change_item(known, fields, NOW, store.attributes)
        change.put(item, write_item(item, store.attributes))


def known(store: ItemStore, number: int) -> Item:
    item = store.catalogue.get(number)
    assert item is not None
    return item


def test_of_changes_at_the_same_time_none_is_lost(store: ItemStore) -> None:
    async def run() -> None:
        async with running(MemoryLog(), store) as (topic, noted):
            changes = [patch(topic, store, 500, **{name: value}) for name, value in FIELDS.items()]
            await asyncio.gather(put(topic, store, 500, title="New"), *changes)
            assert noted[-1] == 1 + len(FIELDS)

    asyncio.run(run())
    item = known(store, 500)
    assert (item.title, item.image_url, item.available, item.expires) == ("New", "https://a/b", False, 77)
    assert store.attributes.shown(item, ["genres", "year"]) == {"genres": ("War",), "year": 1990}


FIELDS: dict[str, Any] = {
    "genres": ["War"],
    "year": 1990,
    "image_url": "https://a/b",
    "available": False,
    "expires": 77,
}


def test_a_change_after_a_start_is_of_the_newest_version_in_the_log(store: ItemStore) -> None:
    async def run() -> None:
        log = MemoryLog(*(record(store, 1, title=f"Version {number}", year=1990 + number) for number in range(3)))
        async with running(log, store, patience=0.0) as (topic, noted):
            assert not topic.current
            await patch(topic, store, 1, genres=["War"])
            assert topic.current
            assert noted == [1, 2, 3, 4]

    asyncio.run(run())
    item = known(store, 1)
    assert (item.title, store.attributes.shown(item, ["year", "genres"])) == (
        "Version 2",
        {"year": 1992, "genres": ("War",)},
    )


def test_a_write_does_not_wait_for_those_before_it_to_be_read_back(store: ItemStore) -> None:
    async def run() -> None:
        log = MemoryLog()
        async with running(log, store) as (topic, _):
            await put(topic, store, 500, title="Before")
            async with log.written:  # nobody reads or writes meanwhile
                both = [asyncio.create_task(put(topic, store, 500 + number, title="New")) for number in range(2)]
                async with asyncio.timeout(patience(5)):
                    while log.handed_over < 3:
                        await asyncio.sleep(0)
                assert not any(each.done() for each in both)
            await asyncio.gather(*both)

    asyncio.run(run())


def test_a_log_that_hangs_or_fails_is_not_waited_for_beyond_the_timeout(store: ItemStore) -> None:
    async def run() -> None:
        log = MemoryLog()
        async with running(log, store, timeout=1.0) as (topic, _):
            await put(topic, store, 500, title="Before")
            log.hangs = True
            answers = [put(topic, store, 500, title="Hangs") for _ in range(3)]  # two of them wait for the first
            async with asyncio.timeout(20):
                errors = await asyncio.gather(*answers, return_exceptions=True)
            assert [type(error) for error in errors] == [Unavailable] * 3
            log.hangs = False
            await patch(topic, store, 500, year=1990)

    asyncio.run(run())
    assert (known(store, 500).title, len(store)) == ("Before", 41)


def test_nothing_is_written_until_the_log_has_been_read_and_readiness_tells(store: ItemStore) -> None:
    async def run() -> None:
        log = MemoryLog(record(store, 500, title="There"))
        log.down = True
        async with running(log, store, timeout=1.0) as (topic, _):
            with pytest.raises(Unavailable, match="until all items are read"):
                await put(topic, store, 500, title="New")
            log.down = False
            async with asyncio.timeout(patience(20)):
                while not topic.current:
                    await asyncio.sleep(0.001)
            await patch(topic, store, 500, year=1990)
            await log.stop_readers()
            async with asyncio.timeout(patience(20)):
                while topic.current:
                    await asyncio.sleep(0.001)
            log.down = False
            async with asyncio.timeout(patience(20)):
                while not topic.current:
                    await asyncio.sleep(0.001)
            assert log.reading == {0, 2}

    asyncio.run(run())
    assert known(store, 500).title == "There"


def deleted(store: ItemStore, number: int) -> bytes:
    gone = msgspec.structs.replace(compile_item(number, {"title": "Gone"}, NOW, store.attributes), deleted=True)
    return write_item(gone, store.attributes)


def test_a_start_ends_once_all_changes_are_read(store: ItemStore) -> None:
    async def run() -> None:
        log = MemoryLog(*[record(store, 500 + number, title="There") for number in range(100)], deleted(store, 5))
        async with running(log, store, patience=20.0) as (topic, _):
            assert topic.current
            assert not store.lacks_changes
            assert (store.row(5), known(store, 599).title) == (None, "There")

    asyncio.run(run())


def test_while_changes_are_not_read_what_the_catalogue_does_not_have_is_not_shown(store: ItemStore) -> None:
    """Its record may say that it is deleted, or sold out."""
    store.put_features(900, ItemFeatures(900))

    def shown(number: int) -> bool:
        row = store.row(number)
        return row is not None and bool(store.showable(NOW)[row])

    async def run() -> None:
        log = MemoryLog(record(store, 901, title="Sold out", available=False), deleted(store, 5))
        assert shown(900)
        log.down = True
        async with running(log, store) as (topic, _):
            store.put_features(901, ItemFeatures(901))
            assert store.lacks_changes
            assert (shown(900), shown(901), shown(5)) == (False, False, True)
            log.down = False
            async with asyncio.timeout(patience(20)):
                while not topic.current:
                    await asyncio.sleep(0.001)
            assert (shown(900), shown(901), shown(5)) == (True, False, False)
            log.down = True
            await log.stop_readers()
            assert not store.lacks_changes, "what there was is known"

    asyncio.run(run())


class FailingOnce(ItemStore):
    """Does not take the first item at the first attempt."""

    failed = False

    def put_item(self, item: Item) -> None:
        if not self.failed:
            self.failed = True
            raise ValueError("a fault of the store")
        super().put_item(item)


def test_a_reader_survives_what_nobody_expected(base: Base) -> None:
    store = FailingOnce(base)

    async def run() -> None:
        async with running(MemoryLog(record(store, 500, title="There")), store) as (topic, noted):
            await patch(topic, store, 500, year=1990)
            assert noted == [1, 2]

    asyncio.run(run())
    assert store.failed
    assert known(store, 500).title == "There"


def test_what_is_no_item_is_passed_over(store: ItemStore, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        log = MemoryLog(b"\xff{", b"", record(store, 500, title="There"), b"[]")
        async with running(log, store) as (topic, noted):
            await patch(topic, store, 500, year=1990)
            assert noted == [1, 2, 3, 4, 5]

    asyncio.run(run())
    assert known(store, 500).title == "There"
    assert sum("no item" in message for message in caplog.messages) == 3


def test_an_id_of_another_ones_number_is_refused_by_both_names(store: ItemStore) -> None:
    """Two strings that meet can't be found: a call, and then the features of "b", say that the number of "b" is that of "a"."""
    of_a, of_b = store.inside(["a", "b"])

    async def change_both(topic: ItemTopic, number: int, first: str, second: str) -> None:
        item = compile_item(number, {"title": first}, NOW, store.attributes, first)
        async with topic.changing() as change:
            change.latest(number, first)
            change.put(item, write_item(item, store.attributes))
            change.latest(number, second)

    async def run() -> None:
        async with running(MemoryLog(), store) as (topic, _):
            with pytest.raises(BadInput, match="'b', whose number 'a' has"):
                await change_both(topic, of_b, "a", "b")  # of one call
            assert store.names.name_of(of_b) == ""
            await change_both(topic, of_a, "a", "a")
            store.put_features(of_b, ItemFeatures("a"))
            with pytest.raises(BadInput, match="'b', whose number 'a' has"):
                await change_both(topic, of_b, "b", "b")

    asyncio.run(run())
    assert known(store, of_a).outer == "a"
    assert store.catalogue.get(of_b) is None


def test_a_process_catches_up_with_what_another_has_acknowledged(base: Base, tmp_path: Path) -> None:
    async def run() -> None:
        log, one, other = MemoryLog(), ItemStore(base), ItemStore(base)
        first, second = (CatalogueVersions(tmp_path / "shared", number) for number in (1, 2))
        async with (
            running(log, one, versions=first) as (writer, _),
            running(log, other, versions=second) as (reader, _),
        ):
            for number in range(900, 920):
                before = second.newest
                await put(writer, one, number, title="New")
                assert second.newest > before, "whoever reads next would not know of it"
                if reader.behind:
                    assert await reader.catch_up(5)
                assert known(other, number).title == "New"
            assert not writer.behind
            assert not reader.behind

    asyncio.run(run())


def test_nobody_waits_long_for_a_change_that_does_not_come_nor_for_a_log_that_is_away(
    base: Base, tmp_path: Path
) -> None:
    async def run() -> None:
        log = MemoryLog()
        first, second = (CatalogueVersions(tmp_path / "shared", number) for number in (1, 2))
        async with running(log, ItemStore(base), versions=second) as (reader, _):
            async with asyncio.timeout(patience(20)):
                while not reader.current:
                    await asyncio.sleep(0)
            first.note(7)
            began = time.monotonic()
            assert reader.behind
            assert not await reader.catch_up(0.05)
            assert time.monotonic() - began >= 0.05
            await log.stop_readers()
            async with asyncio.timeout(patience(20)):
                while reader.current:
                    await asyncio.sleep(0)
            assert not reader.behind

    asyncio.run(run())


async def until_read(noted: list[int], version: int) -> None:
    """Wait until the newest version that is noted is this one."""
    async with asyncio.timeout(patience(20)):
        while noted[-1:] != [version]:
            await asyncio.sleep(0.001)


def test_a_log_that_is_cut_while_it_is_read_is_read_again_and_items_are_what_it_says(store: ItemStore) -> None:
    async def run() -> None:
        kept = [record(store, 500, title="Kept"), record(store, 1, title="Changed"), record(store, 501, title="Kept")]
        log = MemoryLog(*kept, record(store, 502, title="Lost"), deleted(store, 5))
        async with running(log, store, patience=20.0) as (topic, noted):
            await put(topic, store, 1, title="Changed, and lost")
            await log.become(*kept)
            await until_read(noted, 3)
            assert topic.current
            assert [known(store, number).title for number in (500, 1, 501)] == ["Kept", "Changed", "Kept"]
            assert store.row(502) is None, "the log does not have it"
            assert store.row(5) is not None, "the base has it"
            await put(topic, store, 502, title="Again")
            assert len(log.values) == 4

    asyncio.run(run())
    assert known(store, 502).title == "Again"


def test_a_log_made_anew_is_noticed_by_its_first_record_though_it_has_grown(store: ItemStore) -> None:
    async def run() -> None:
        log = MemoryLog(*[record(store, 500 + number, title="Lost") for number in range(3)])
        async with running(log, store, patience=20.0) as (topic, noted):
            await log.become()
            await put(topic, store, 600, title="New")
            await log.become(*log.values, *[record(store, 601 + number, title="New") for number in range(5)])
            await until_read(noted, 6)

    asyncio.run(run())
    assert [store.row(number) for number in (500, 501, 502)] == [None] * 3
    assert len(store.rows(list(range(600, 606)))) == 6


def test_a_start_from_a_base_that_knows_more_than_the_log_reads_all_of_it(store: ItemStore) -> None:
    """Another topic than the base was made of."""

    async def run() -> None:
        topic = ItemTopic(MemoryLog(record(store, 500, title="There")), store, lambda version: None, 7, retry=0.01)
        await topic.start()
        try:
            assert topic.current
            assert known(store, 500).title == "There"
        finally:
            await topic.stop()

    asyncio.run(run())


def test_after_a_cut_nobody_waits_for_what_was_acknowledged_before(base: Base, tmp_path: Path) -> None:
    async def run() -> None:
        log, versions = MemoryLog(), CatalogueVersions(tmp_path / "shared", 1)
        store = ItemStore(base)
        async with running(log, store, versions=versions) as (topic, noted):
            for _ in range(3):
                await put(topic, store, 500, title="Before")
            await log.become(log.values[0])
            await until_read(noted, 1)
            assert not topic.behind
            await put(topic, store, 500, title="After")
            assert versions.newest == 2

    asyncio.run(run())
