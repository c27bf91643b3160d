"""The judge judged: what `verify` must find equal, and one fault of each kind, which it must name."""

import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.base.reader import Base
from features.clock import Clock
from features.engines.redis_address import RedisAddress
from features.engines.redis_nodes import RedisNodes
from features.fold.state import encode_features
from features.fold.user import freeze_user, thaw_user
from features.keys import (
    EVENTS,
    GENERATION,
    SERVED,
    VALUE,
    N,
    hidden_key,
    item_key,
    pairs_key,
    partition_of,
    seen_key,
    user_key,
)
from features.store.job_status import lane_key
from features.types import CLICK, LIKE, NO_ID, PROFILE, UNDO, Event
from infra.services.base_loader import load_base
from infra.verify.compare import Comparison, verify
from infra.verify.recompute import Ends, KernelRecomputer, Recomputer
from offline.base.kafka_log import Record
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.offline.small_log import HORIZON, START, WALL, SmallLog
from tests.online.conftest import write_base
from tests.pure_fold import Reference
from tests.redis_process import RedisProcess, redis_process
from tests.schemas import peopled
from tests.streaming.crashes import by_partition, expected_of, items_of, settings_of

PEOPLED = peopled("movies")


class MemoryLog:
    """A small log as `verify` reads one. `grows` is called before it is asked where it ends; after each `part` records of a
    partition, as after the last one, it is passed to."""

    def __init__(self, log: SmallLog, grows: Callable[[], None] = lambda: None, part: int = 1_000_000) -> None:
        self._log, self._grows, self._part = log, grows, part

    def ends(self) -> Ends:
        self._grows()
        return {key: len(records) for key, records in self._log.records.items()}

    def read(self, recomputer: Recomputer) -> Ends:
        ends = {key: len(records) for key, records in self._log.records.items()}
        for (topic, number), records in self._log.records.items():
            for start in range(0, len(records), self._part):
                for each in records[start : start + self._part]:
                    recomputer.feed(topic, number, each.offset, each.broker_ts, each.key, each.value)
                recomputer.pass_to(topic, number, min(start + self._part, len(records)))
        return ends


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return write_base(tmp_path_factory.mktemp("bases") / "1", PEOPLED, hidden={40: HORIZON})


@pytest.fixture(scope="module")
def log() -> SmallLog:
    made = SmallLog(random.Random(2), schema=PEOPLED)
    made.go_on(400, [])
    made.answer_lists(20)
    made.event(Event("first", LIKE, 1, 1, 0, "", made.now))
    made.event(Event("second", LIKE, 1, 2, 0, "", made.now))  # so that items 1 and 2 have pairs
    made.event(Event("told", PROFILE, 1, NO_ID, 0, '{"plan":"paid"}', made.now))  # the last bytes of user 1
    for _ in range(2):
        made.show(1, "again", made.now, [1, 2])
    return made


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory, base: Base, log: SmallLog) -> Iterator[RedisProcess]:
    """A Redis as the job leaves it. A test puts back what it changes."""
    with redis_process(tmp_path_factory.mktemp("redis")) as server:
        load_base(base, RedisAddress("127.0.0.1", server.port), 1)
        time_source = ManualTime(WALL)
        settings = settings_of(base.folder, server.port)
        job = JobRun(settings, time_source, UnsteadyRedis(time_source), items_topic=items_of(log))
        for batch in filter(None, by_partition(log).values()):
            job.feed(batch)
        job.advance(5.0)
        job.close()
        yield server


def judged(base: Base, redis: RedisProcess, log: SmallLog, **more: Any) -> Any:
    return verify(base, settings_of(base.folder, redis.port), 0.0, MemoryLog(log, **more))


def test_what_the_job_has_written_is_equal(base: Base, redis: RedisProcess, log: SmallLog) -> None:
    finding = judged(base, redis, log)
    assert finding.difference is None
    assert (finding.verdict, finding.exit_code) == ("equal", 0)
    ledger = finding.ledger()
    assert ledger["read"] == sum(map(len, (log.records[EVENTS, number] for number in range(8))))
    assert ledger["read"] == sum(count for name, count in ledger.items() if name != "read")
    assert all(ledger[name] for name in ("applied", "duplicate", "rejected", "rerouted"))


@pytest.mark.parametrize("part", [1_000_000, 20, 1])
def test_the_kernel_expects_what_the_specification_does(
    base: Base, redis: RedisProcess, log: SmallLog, part: int
) -> None:
    """However often the users of before are put away as bytes."""
    settings = settings_of(base.folder, redis.port)
    by_kernel = verify(base, settings, 0.0, MemoryLog(log, part=part), kernel=True)
    plain = verify(base, settings, 0.0, MemoryLog(log))
    assert by_kernel.verdict == "equal"
    assert by_kernel.ledger() == plain.ledger()
    frozen = [
        {user_id: freeze_user(state) for user_id, state in each.expected.users.items()} for each in (by_kernel, plain)
    ]
    assert frozen[0] == frozen[1]
    assert by_kernel.expected.next_offsets == plain.expected.next_offsets


@pytest.mark.parametrize("batch", [1, 7])
def test_the_kernel_expects_the_same_by_small_batches(base: Base, log: SmallLog, batch: int) -> None:
    settings = settings_of(base.folder, 9)
    by_kernel, plain = KernelRecomputer(base, settings, batch), Recomputer(base, settings)
    for each in (by_kernel, plain):
        MemoryLog(log).read(each)
        each.finish()
    found, expected = by_kernel.expected, plain.expected
    assert {user_id: freeze_user(state) for user_id, state in found.users.items()} == {
        user_id: freeze_user(state) for user_id, state in expected.users.items()
    }
    assert {user_id: found.users.written(user_id) for user_id in found.users} == {
        user_id: expected.users.written(user_id) for user_id in expected.users
    }
    assert (found.ledgers, found.items, found.next_offsets) == (expected.ledgers, expected.items, expected.next_offsets)


def test_undos_and_profiles_cost_the_kernel_little_of_a_user_who_remembers_much(base: Base) -> None:
    """As little as the specification, which has its users as objects: to make one for each undo was hundred times as dear."""
    many, few = 4000, 200
    log = SmallLog(random.Random(4), schema=PEOPLED)
    for number in range(many):
        log.event(Event(f"click{number}", CLICK, USER, number % 40 + 1, 0, "", log.now + number))
    for number in range(few):
        log.event(Event(f"undo{number}", UNDO, USER, NO_ID, 0, f"click{many - 1 - number}", log.now + many))
        log.event(Event(f"told{number}", PROFILE, USER, NO_ID, 0, '{"plan":"paid"}', log.now + many + number))
    (records,) = (of_partition for of_partition in log.records.values() if of_partition)
    partition = partition_of(USER, log.partitions)
    took, users = [], []
    for kind in (KernelRecomputer, Recomputer):
        recomputer = kind(base, settings_of(base.folder, 9))

        def feed(part: list[Record], to: Recomputer = recomputer) -> None:
            for each in part:
                to.feed(EVENTS, partition, each.offset, each.broker_ts, each.key, each.value)

        feed(records[: many + 2])  # all before is folded then, and what is compiled was needed once
        began = time.process_time()
        feed(records[many + 2 :])
        took.append(time.process_time() - began)
        recomputer.finish()
        assert recomputer.expected.total()["applied"] == len(records)
        users.append(freeze_user(recomputer.expected.users[USER]))
    assert users[0] == users[1]
    assert took[0] < 5 * took[1]


USER, ITEM = 1, 1
Change = Callable[[Any], None]


def _flipped(key: str) -> Change:
    def change(client: Any) -> None:
        value = client.hget(key, VALUE)
        client.hset(key, VALUE, value[:-1] + bytes([value[-1] ^ 1]))

    return change


def _set(key: str, field: str, by: int) -> Change:
    return lambda client: client.hincrby(key, field, by)


FAULTS: dict[str, tuple[str, Change]] = {
    "a user's attributes": (user_key(USER), _flipped(user_key(USER))),
    "a user's offset": (user_key(USER), _set(user_key(USER), N, 1)),
    "a user's generation": (user_key(USER), _set(user_key(USER), GENERATION, 1)),
    "a user of the base alone": (user_key(7), _flipped(user_key(7))),
    "a user is missing": (user_key(USER), lambda client: client.delete(user_key(USER))),
    "an item too many is seen": (seen_key(USER), lambda client: client.sadd(seen_key(USER), 999)),
    "an item too few is seen": (seen_key(USER), lambda client: client.spop(seen_key(USER))),
    "no item is seen": (seen_key(USER), lambda client: client.delete(seen_key(USER))),
    "an item hidden for a time is hidden for good, too": (seen_key(7), lambda client: client.sadd(seen_key(7), 40)),
    "an item hidden for good is hidden for a time, too": (
        hidden_key(7),
        lambda client: client.zadd(hidden_key(7), {"1": HORIZON}),
    ),
    "an item is hidden for longer": (hidden_key(7), lambda client: client.zincrby(hidden_key(7), 1, "40")),
    "no item is hidden for a time": (hidden_key(7), lambda client: client.delete(hidden_key(7))),
    "an item's value": (item_key(ITEM), _flipped(item_key(ITEM))),
    "an item's count": (item_key(ITEM), _set(item_key(ITEM), N, -1)),
    "an item's generation": (item_key(ITEM), _set(item_key(ITEM), GENERATION, -1)),
    "an item of the base alone": (item_key(40), _flipped(item_key(40))),
    "an item is missing": (item_key(ITEM), lambda client: client.delete(item_key(ITEM))),
    "neighbours": (pairs_key(ITEM), _flipped(pairs_key(ITEM))),
    "neighbours' generation": (pairs_key(ITEM), _set(pairs_key(ITEM), GENERATION, 1)),
    "neighbours are missing": (pairs_key(ITEM), lambda client: client.delete(pairs_key(ITEM))),
    "a lane's count": (lane_key(0), _set(lane_key(0), "applied", 1)),
    "a lane's count of lists": (lane_key(0), _set(lane_key(0), "served_applied", -1)),
    "a lane's count of a verdict that the log has none of": (lane_key(0), _set(lane_key(0), "late", 1)),
    "a lane's count of lists that the log has none of": (lane_key(0), _set(lane_key(0), "served_late", 1)),
    "a lane of another generation": (lane_key(0), _set(lane_key(0), GENERATION, -1)),
    "a lane is missing": (lane_key(0), lambda client: client.delete(lane_key(0))),
    "a user too many": (user_key(4242), lambda client: client.hset(user_key(4242), N, 1)),
    "a seen set too many": (seen_key(4242), lambda client: client.sadd(seen_key(4242), 1)),
    "an item too many": (item_key(4242), lambda client: client.hset(item_key(4242), N, 1)),
    "neighbours too many": (pairs_key(4242), lambda client: client.hset(pairs_key(4242), N, 1)),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_found_and_its_key_named(base: Base, redis: RedisProcess, log: SmallLog, kind: str) -> None:
    key, change = FAULTS[kind]
    before = redis.client.dump(key)
    change(redis.client)
    try:
        finding = judged(base, redis, log)
    finally:
        redis.client.delete(key)
        if before is not None:
            redis.client.restore(key, 0, before)
    assert finding.difference is not None
    assert finding.difference.startswith(f"{key}: expected ")
    assert (finding.verdict, finding.exit_code) == ("different", 1)
    assert finding.text(1.0).startswith(f"DIFFERENT: {key}")
    assert json.loads(finding.json_line(1.0))["difference"] == finding.difference
    assert judged(base, redis, log).difference is None


def test_a_lane_counts_nothing_where_the_log_has_nothing(base: Base, redis: RedisProcess, log: SmallLog) -> None:
    """What it counted for a generation of before says nothing of this one."""
    settings = settings_of(base.folder, redis.port)
    expected = expected_of(log, base, settings)
    read = expected.ledgers.pop(0)["read"]
    del expected.list_ledgers[0]
    before = redis.client.dump(lane_key(0)) or b""
    with RedisNodes(settings.redis, 5) as nodes:
        comparison = Comparison(expected, base, nodes, settings.generation)
        now = comparison.first_difference()
        _set(lane_key(0), GENERATION, -1)(redis.client)
        of_before = comparison.first_difference()
        redis.client.delete(lane_key(0))
        nothing = comparison.first_difference()
    redis.client.restore(lane_key(0), 0, before)
    assert now == f"{lane_key(0)}: expected 0 records of events read in generation {settings.generation}, got {read}"
    assert (of_before, nothing) == (None, None)


def test_items_that_are_not_folded_any_more_may_still_be_there(base: Base, redis: RedisProcess, log: SmallLog) -> None:
    """Of a user too many that is no excuse."""
    users_alone = msgspec.structs.replace(settings_of(base.folder, redis.port), items=False)
    surplus = [item_key(4242), pairs_key(4242), user_key(4242)]
    differences = []
    for key in surplus:
        redis.client.hset(key, N, 1)
        with RedisNodes(users_alone.redis, 5) as nodes:
            comparison = Comparison(expected_of(log, base, users_alone), base, nodes, 1, items=False)
            differences.append(comparison.surplus())
        redis.client.delete(key)
    assert differences == [None, None, f"{user_key(4242)}: expected no such key, got one"]


def test_other_keys_are_nobodys_business(base: Base, redis: RedisProcess, log: SmallLog) -> None:
    redis.client.set("somebody else's", 1)
    assert judged(base, redis, log).difference is None


def test_while_the_log_grows_a_difference_may_be_none(base: Base, redis: RedisProcess, log: SmallLog) -> None:
    more = SmallLog(random.Random(3), {key: list(records) for key, records in log.records.items()})
    finding = judged(base, redis, more, grows=lambda: more.event(Event(f"e{len(more.sent)}", LIKE, 5, 5, 0, "", START)))
    assert (finding.verdict, finding.exit_code) == ("moving", 3)
    assert finding.text(1.0).startswith("still moving: ")
    assert json.loads(finding.json_line(1.0))["verdict"] == "moving"


def test_it_waits_for_what_is_on_its_way(base: Base, redis: RedisProcess, log: SmallLog) -> None:
    """The difference goes away while it looks again."""
    key = item_key(ITEM)
    right = redis.client.hget(key, VALUE)
    redis.client.hset(key, VALUE, b"not yet")
    comparisons = itertools.count()

    def third_time() -> None:
        if next(comparisons) == 2:
            redis.client.hset(key, VALUE, right)

    finding = verify(base, settings_of(base.folder, redis.port), 30.0, MemoryLog(log, third_time))
    assert finding.verdict == "equal"


def test_the_recomputer_says_what_a_second_reader_of_the_log_says(base: Base, log: SmallLog, tmp_path: Path) -> None:
    settings = settings_of(base.folder, 9)
    recomputer, reference = Recomputer(base, settings), Reference(base, Clock(HORIZON, WALL - 1000))
    MemoryLog(log).read(recomputer)
    reference.feed(log.records, base.offsets, log.ends())
    expected = recomputer.expected
    users = {user_id: thaw_user(data) for user_id, data in reference.users().items()}
    for user_id, state in expected.users.items():
        assert freeze_user(state) == freeze_user(users[user_id])
    assert {item_id: encode_features(each) for item_id, each in expected.items.items()} == {
        item_id: data for item_id, data in reference.items().items() if item_id in expected.items
    }
    assert {item_id: each.encode() for item_id, each in expected.pairs.items()} == reference.pairs()
    assert expected.total() == reference.ledger[EVENTS]
    assert sum(expected.list_ledgers.values(), Counter()) == reference.ledger[SERVED]
