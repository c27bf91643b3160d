"""Items are read as far as marks demand, once, and by no version that is not there; of a topic that was cut, those left."""

import pytest

from features.base.reader import Base
from features.contracts.catalogue_mark import write_mark
from features.contracts.items import compile_item, write_item
from features.errors import Unavailable
from features.fold.catalogue import CatalogueVersions
from features.fold.state import decode_user
from features.keys import DEFAULT_PARTITIONS, VALUE, user_key
from features.types import LIKE, Item
from streaming.batch_codec import EVENTS_TOPIC, Record
from streaming.operators.items_reader import CANCEL_EVERY, ItemsReader
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from streaming.testing.memory_items import MemoryItems
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.offline.small_log import WALL
from tests.redis_process import RedisProcess
from tests.schemas import MOVIES
from tests.streaming.bench import LANE, USER, Bench
from tests.streaming.crashes import settings_of


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


def test_of_a_topic_that_was_cut_what_is_left_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    topic = MemoryItems()
    for genre in ("Drama", "War"):
        put(topic, 1, genre)
    versions = CatalogueVersions({})
    reader = ItemsReader(versions, MOVIES, lambda: topic)
    assert reader.reach_again(2) == 2
    assert reader.reach_again(5) == 2
    assert (versions.end, reader.lost(5, 0), reader.lost(2, 0)) == (2, 3, 0)
    assert "expected its records from 2 to before 5, got none of them" in capsys.readouterr().out
    put(topic, 1, "Comedy")
    assert reader.allows(3, 0)
    assert tastes(versions, 1, 3) == ("Comedy",)


def test_of_a_topic_that_lost_its_beginning_what_is_left_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    topic = MemoryItems()
    for genre in ("Drama", "War", "Comedy"):
        put(topic, 1, genre)
    topic.begin = 2
    versions = CatalogueVersions({1: Item(1, "", tastes=("base",))})
    reader = ItemsReader(versions, MOVIES, lambda: topic)
    assert [reader.reach(version) for version in (1, 3, 4)] == [True, True, False]
    assert [tastes(versions, 1, version) for version in (2, 3)] == [("base",), ("Comedy",)]
    assert [reader.lost(version, begin) for version, begin in ((1, 0), (3, 0), (3, 1), (3, 2))] == [1, 2, 1, 0]
    assert "expected its records from 1 to before 2, got none" in capsys.readouterr().out


def test_the_job_goes_on_over_a_topic_that_was_made_anew(small_base: Base, redis: RedisProcess) -> None:
    """From its next start on it learns of new items again, by their marks."""
    time_source, topic = ManualTime(WALL), MemoryItems()
    server = UnsteadyRedis(time_source)
    job = JobRun(settings_of(small_base.folder, redis.port), time_source, server, items_topic=topic)
    bench = Bench(job, time_source, server, redis.client)

    def mark(version: int) -> Record:
        return bench.record(EVENTS_TOPIC, write_mark(version), key=None)

    for number in range(3):
        put(topic, 1000 + number, "Drama")
    bench.feed(mark(3), bench.event("a", LIKE))
    job.checkpoint()
    topic.records.clear()
    put(topic, 2000, "Western")
    job.crash()
    bench.feed(mark(1), bench.event("b", LIKE, item=2000))
    job.checkpoint()
    put(topic, 2001, "Musical")
    job.crash()
    other = (LANE + 1) % DEFAULT_PARTITIONS
    bench.feed(Record(EVENTS_TOPIC, other, 0, WALL, None, write_mark(2)))
    bench.feed(bench.event("too early", LIKE, item=2001))
    job.advance(2.0)
    assert {"Western", "Musical"} & liked(bench) == {"Western"}
    bench.feed(mark(2), bench.event("c", LIKE, item=2001))
    job.advance(2.0)
    assert {"Western", "Musical"} <= liked(bench)
    lane = bench.lane()
    assert (lane.applied, lane.marks, lane.rejected, lane.items_lost) == (4, 3, 0, 2)
    job.close()


@pytest.mark.parametrize(("is_cut_first", "lost"), [(False, 2), (True, 0)])
def test_records_that_were_gone_before_a_lane_came_to_them_are_no_loss(
    small_base: Base, redis: RedisProcess, is_cut_first: bool, lost: int
) -> None:
    """Else the alarm came back with each restart of a job that has folded the log anew."""
    time_source, topic = ManualTime(WALL), MemoryItems()
    server = UnsteadyRedis(time_source)
    job = JobRun(settings_of(small_base.folder, redis.port), time_source, server, items_topic=topic)
    bench = Bench(job, time_source, server, redis.client)
    for number in range(3):
        put(topic, 1000 + number, "Drama")
    topic.begin = 2 * is_cut_first
    bench.feed(bench.record(EVENTS_TOPIC, write_mark(3), key=None), bench.event("a", LIKE, item=1002))
    job.checkpoint()
    topic.begin = 2
    for name in ("b", "c"):
        job.crash()
        bench.feed(bench.event(name, LIKE, item=1002))
        job.checkpoint()
        job.advance(2.0)
        assert bench.lane().items_lost == lost
    job.close()


def liked(bench: Bench) -> set[str]:
    """The names of the user's tastes in Redis."""
    return set(decode_user(bench.client.hget(user_key(USER), VALUE)).tastes)
