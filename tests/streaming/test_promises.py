"""What the operators promise beside the fold itself, an example each: offsets, bounds, back-pressure, restarts."""

import pickle
from math import inf
from typing import Any

import pytest

from features.base.reader import Base
from features.contracts.events import write_event
from features.engines.redis_address import RedisAddress
from features.errors import Broken, Unavailable
from features.fold.state import decode_item
from features.keys import APPLIED_TS, DEFAULT_PARTITIONS, VALUE, N, item_key, partition_of, user_key
from features.store.job_status import lane_key, read_lane
from features.types import CLICK, FORGET_USER, LIKE, UNDO, Event
from streaming.batch_codec import EVENTS_TOPIC, Record
from streaming.operators.item_operator import LONGEST, ItemFold
from streaming.operators.stored_state import require_state
from streaming.operators.user_operator import SETTLE, SETTLE_AT, UserFold
from streaming.redis_sink.redis_commands import StateWrite
from streaming.redis_sink.redis_writer import BUFFER_KEYS, FULL_TIMEOUT, FeatureWriter
from streaming.testing.manual_time import ManualTime
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.offline.small_log import START, WALL
from tests.redis_process import RedisProcess
from tests.schemas import MOVIES
from tests.streaming.bench import LANE, USER, Bench
from tests.streaming.crashes import settings_of

pytestmark = pytest.mark.services


@pytest.mark.parametrize("value", [b"\xff{", b"{}", b""])
def test_a_record_that_can_not_be_read_ends_the_wait_for_it(bench: Bench, value: bytes) -> None:
    bench.feed(bench.event("a", CLICK), bench.record(EVENTS_TOPIC, value))
    bench.job.advance(1.0)
    assert bench.offset() == b"2"
    assert [(row["k"], row["off"]) for row in bench.job.outputs["rejected"]] == [(str(USER), "1")]


def test_a_reject_under_nobodys_key_or_in_another_partition_moves_nobody(bench: Bench) -> None:
    other = next(user for user in range(1, 100) if partition_of(user, DEFAULT_PARTITIONS) != LANE)
    bench.feed(bench.record(EVENTS_TOPIC, b"{", key=None), bench.record(EVENTS_TOPIC, b"{", key=str(other)))
    bench.job.advance(1.0)
    assert bench.client.keys("{u:*") == []
    assert bench.lane().rejected == 2


def test_duplicates_and_the_late_end_the_wait_for_them(bench: Bench) -> None:
    bench.feed(bench.event("f", FORGET_USER, START), bench.event("late", LIKE, START - 1))
    bench.job.advance(1.0)
    assert (bench.offset(), bench.lane().late) == (b"2", 1)
    bench.feed(bench.event("a", CLICK, START + 1), bench.event("a", CLICK, START + 1))
    bench.job.advance(1.0)
    assert (bench.offset(), bench.lane().duplicate) == (b"4", 1)


def test_a_good_event_under_another_key_is_sent_on_and_touches_nobody(bench: Bench) -> None:
    value = write_event(Event("a", CLICK, USER, 5, 0, "", START), MOVIES)
    bench.feed(bench.record(EVENTS_TOPIC, value, key="x"))
    bench.job.advance(1.0)
    assert [(row["k"], row["v"].encode()) for row in bench.job.outputs["rerouted"]] == [(str(USER), value)]
    assert (bench.offset(), bench.lane().rerouted, bench.lane().next_offset) == (None, 1, 1)


@pytest.mark.parametrize("late", [CLICK, UNDO])
def test_the_watermark_never_goes_back(bench: Bench, late: int) -> None:
    """Neither by what the kernel folds nor by what is left to the specification."""
    bench.feed(bench.event("a", CLICK, START + 2000))
    bench.feed(bench.event("b", late, START + 1000, target="a" if late == UNDO else ""))
    bench.job.advance(1.0)
    assert bench.lane().watermark_ms == START + 2000


def test_states_of_another_version_are_refused(bench: Bench) -> None:
    with pytest.raises(Broken, match=r"this home's 2: `./martlet down` and `up` fold the log anew"):
        require_state(2)
    with pytest.raises(Broken, match="this home's an older one"):
        require_state(0)


def test_what_a_lane_says_to_items_gathers_for_a_moment(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(5.0)
    first = bench.contributions()
    bench.feed(bench.event("b", LIKE))  # a calm lane says it at once
    assert bench.contributions() == first + 1
    bench.feed(bench.event("c", LIKE))
    bench.feed(bench.event("d", LIKE))
    assert bench.contributions() == first + 1
    bench.job.advance(SETTLE + LONGEST)
    assert bench.contributions() == first + 3


def test_many_contributions_do_not_wait(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    pending = bench.job.state_bytes("lane")
    bench.feed(*(bench.event(f"b{n}", LIKE, START + n) for n in range(SETTLE_AT)))
    assert bench.job.state_bytes("lane") < pending + 20 * SETTLE_AT


def test_deltas_kept_in_state_are_folded_again_after_a_crash(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(5.0)
    before = bench.contributions()
    bench.feed(bench.event("b", LIKE))  # written at once; what follows closely is kept for the next flush
    other = next(user for user in range(1000, 1100) if partition_of(user, DEFAULT_PARTITIONS) != LANE)
    value = write_event(Event("c", LIKE, other, 5, 0, "", START), MOVIES)
    bench.feed(Record(EVENTS_TOPIC, partition_of(other, DEFAULT_PARTITIONS), 0, WALL, str(other), value))
    assert bench.job.state_bytes("deltas") > 0
    bench.job.checkpoint()
    bench.job.crash()
    bench.job.touch_all()
    bench.job.advance(5.0)
    assert bench.contributions() == before + 2
    assert decode_item(bench.client.hget(item_key(5), VALUE)).counts[LIKE] == 3
    assert bench.job.state_bytes("deltas") == 0


def test_the_job_goes_on_with_another_number_of_subtasks(bench: Bench) -> None:
    users = list(range(1000, 1040))
    offsets: dict[int, int] = {}

    def click(round_: int) -> None:
        for user in users:
            number = partition_of(user, DEFAULT_PARTITIONS)
            value = write_event(Event(f"{user}-{round_}", CLICK, user, user % 40 + 1, 0, "", START + round_), MOVIES)
            bench.feed(Record(EVENTS_TOPIC, number, offsets.get(number, 0), WALL, str(user), value))
            offsets[number] = offsets.get(number, 0) + 1

    for round_, parallelism in enumerate((2, 8, 1, 3)):
        click(round_)
        bench.job.checkpoint()
        bench.job.crash(parallelism)
    bench.job.touch_all()
    bench.job.advance(5.0)
    for user in users:
        assert len(bench.client.smembers(f"{{u:{user}}}:seen")) == 1
    read = [read_lane(number, bench.client.hgetall(lane_key(number))) for number in range(8)]
    assert sum(lane.applied for lane in read if lane) == 4 * len(users)
    assert {number: lane.next_offset for number, lane in enumerate(read) if lane} == {
        n: offsets.get(n, 0) for n in range(8)
    }


def test_a_user_looked_up_while_redis_is_away_is_written_once_it_is_back(bench: Bench) -> None:
    bench.server.away(30.0)
    bench.feed(bench.event("a", CLICK))
    bench.job.advance(29.0)
    assert bench.offset() is None
    bench.job.advance(3.0)
    assert bench.offset() == b"1"
    assert bench.client.hget(user_key(USER), APPLIED_TS) is not None


def test_after_a_crash_what_redis_had_not_acknowledged_is_written_by_a_timer_alone(bench: Bench) -> None:
    bench.server.away(3600.0)
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(2.0)
    other = next(user for user in range(1000, 1100) if partition_of(user, DEFAULT_PARTITIONS) == LANE)
    value = write_event(Event("b", LIKE, other, 6, 0, "", START), MOVIES)
    bench.feed(bench.record(EVENTS_TOPIC, value, key=str(other)))  # what the first batch changed is still unsent
    bench.job.advance(2.0)
    bench.job.checkpoint()
    bench.server.away(0.0)
    bench.job.crash()
    bench.job.advance(5.0)
    assert (bench.offset(), bench.client.hget(user_key(other), N)) == (b"1", b"2")
    assert bench.client.exists(item_key(5), item_key(6)) == 2


def full_writer(redis: RedisProcess, away: float, cancelled_after: float = inf) -> tuple[FeatureWriter, ManualTime]:
    """A writer whose buffer has room for one more key, while Redis is away; its task is cancelled when it has slept so long."""
    time_source = ManualTime(WALL)
    server = UnsteadyRedis(time_source)
    seams: dict[str, Any] = {
        "connect": server.connect,
        "time_source": time_source,
        "is_cancelled": lambda: time_source.slept >= cancelled_after,
    }
    writer = FeatureWriter(RedisAddress("127.0.0.1", redis.port), 1, "items", 0, **seams)
    server.away(away)
    writer.put({f"i:{n}": StateWrite(1, 0, b"") for n in range(BUFFER_KEYS - 1)})
    assert time_source.slept == 0
    return writer, time_source


def test_with_a_full_buffer_the_operator_waits_for_redis(redis: RedisProcess) -> None:
    away = FULL_TIMEOUT - 1
    writer, time_source = full_writer(redis, away)
    writer.put({"i:-1": StateWrite(1, 0, b"")})
    assert away - 0.1 <= time_source.slept <= away + 1
    writer.close()
    assert redis.client.exists("i:-1", "i:0") == 2


def test_with_a_full_buffer_the_operator_does_not_wait_for_ever(redis: RedisProcess) -> None:
    """It would let no checkpoint and no cancel pass."""
    writer, time_source = full_writer(redis, 3600.0)
    with pytest.raises(Unavailable, match=f"takes no writes: {BUFFER_KEYS} keys have waited for 30 s; the task ends"):
        writer.put({"i:-1": StateWrite(1, 0, b"")})
    assert time_source.slept <= FULL_TIMEOUT + 1
    writer.close()
    assert time_source.slept <= FULL_TIMEOUT + 1, "an end that waits is no end"


def test_a_cancelled_task_waits_for_nothing(redis: RedisProcess) -> None:
    writer, time_source = full_writer(redis, 3600.0, cancelled_after=3)
    with pytest.raises(Unavailable, match="keys have waited for 3 s"):
        writer.put({"i:-1": StateWrite(1, 0, b"")})
    writer.close()
    assert time_source.slept <= 3.5


def test_redis_away_for_minutes_costs_restarts_and_nothing_else(bench: Bench) -> None:
    users = [user for user in range(1000, 80_000) if partition_of(user, DEFAULT_PARTITIONS) == LANE][: 3 * BUFFER_KEYS]
    batches = [
        [
            bench.record(EVENTS_TOPIC, write_event(Event("a", CLICK, each, 5, 0, "", START), MOVIES), key=str(each))
            for each in users[at : at + 256]
        ]
        for at in range(0, len(users), 256)
    ]
    bench.server.away(300.0)
    done = saved = restarts = 0
    while done < len(batches):
        try:
            bench.feed(*batches[done])
            done += 1
            if done % 4 == 0:
                bench.job.checkpoint()
                saved = done
        except Unavailable:
            bench.job.crash()
            done = saved
            restarts += 1
            bench.time.advance(10.0)
    bench.job.advance(5.0)
    assert 1 < restarts < 300 / FULL_TIMEOUT + 1
    assert bench.lane().applied == len(users)
    found = [bench.client.hget(user_key(user), N) for user in users]
    assert found == [str(offset + 1).encode() for offset in range(len(users))]


@pytest.mark.parametrize("operator", [UserFold, ItemFold])
def test_an_operator_can_be_sent_to_where_it_runs(small_base: Base, operator: Any) -> None:
    made = operator(settings_of(small_base.folder, 9))
    assert vars(pickle.loads(pickle.dumps(made))).keys() == vars(made).keys()


def test_a_kept_delta_is_written_without_another_record(bench: Bench) -> None:
    """By its own timer, well before the next full second."""
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(5.0)
    before = bench.contributions()
    bench.feed(bench.event("b", LIKE, broker_ts=WALL + 5000))
    other = next(user for user in range(1000, 1100) if partition_of(user, DEFAULT_PARTITIONS) != LANE)
    value = write_event(Event("c", LIKE, other, 5, 0, "", START), MOVIES)
    bench.feed(Record(EVENTS_TOPIC, partition_of(other, DEFAULT_PARTITIONS), 0, WALL + 5000, str(other), value))
    assert bench.contributions() == before + 1
    bench.job.advance(4 * SETTLE)
    assert bench.contributions() == before + 2


@pytest.mark.parametrize("topic", ["events", "served"])
def test_a_record_behind_what_its_lane_has_read_stops_the_task_and_the_restart_orders_it(
    bench: Bench, topic: str
) -> None:
    """As when a clock steps back and windows fire out of order."""

    def record(name: str) -> Record:
        return bench.event(name, CLICK) if topic == "events" else bench.shown(name)

    first, second, third = map(record, "abc")
    bench.feed(first)
    bench.job.checkpoint()
    bench.feed(third)
    with pytest.raises(
        Broken,
        match=f"topic {topic}, partition {LANE}: expected offset 3 or a later one, got 1: records came out of order",
    ):
        bench.feed(second)
    bench.job.crash()
    bench.feed(second, third)
    bench.job.advance(1.0)
    lane = bench.lane()
    assert (lane.applied, lane.served_applied) == ((3, 0) if topic == "events" else (0, 3))
    with pytest.raises(Broken, match="expected offset 3 or a later one, got 2"):
        bench.feed(third)
