"""What the operators promise beside the fold itself, an example each: offsets, open lists, bounds, back-pressure, restarts."""

import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

import pytest

from features.base.reader import Base
from features.contracts.events import write_event
from features.contracts.samples import MAX_ACTIONS
from features.errors import Broken
from features.fold.state import decode_item
from features.keys import APPLIED_TS, VALUE, N, item_key, partition_of, user_key
from features.store.job_status import Lane, lane_key, read_lane
from features.types import CLICK, FORGET_USER, LIKE, UNDO, Event
from features.units import MINUTE_MS
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC, Record
from streaming.lanes import lane_of_item
from streaming.operators.impression_join import SILENCE_MS
from streaming.operators.item_operator import IMPRESSIONS, LONGEST, ItemFold
from streaming.operators.stored_state import STATE_VERSION, require_state
from streaming.operators.user_operator import SETTLE, SETTLE_AT, SILENT_S, UserFold
from streaming.redis_sink.redis_commands import StateWrite
from streaming.redis_sink.redis_writer import BUFFER_KEYS, FeatureWriter
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.offline.small_log import START, WALL
from tests.redis_process import RedisProcess
from tests.schemas import MOVIES
from tests.streaming.crashes import settings_of

USER = 123
LANE = partition_of(USER)
OTHER = next(item for item in range(6, 100) if lane_of_item(item) == lane_of_item(5))
"""Another item in the lane of item 5."""
CLOSING = -(-(WALL + 30 * MINUTE_MS) // MINUTE_MS) * MINUTE_MS
"""When what came at WALL is closed: half an hour on, with the minute."""


@dataclass
class Bench:
    """A job, and records for one user: each gets the next place in its topic."""

    job: JobRun
    time: ManualTime
    server: UnsteadyRedis
    client: Any
    offsets: dict[int, int] = field(default_factory=lambda: {EVENTS_TOPIC: 0, SERVED_TOPIC: 0})

    def record(self, topic: int, value: bytes, broker_ts: int = WALL, key: str | None = str(USER)) -> Record:
        self.offsets[topic] += 1
        return Record(topic, LANE, self.offsets[topic] - 1, broker_ts, key, value)

    def event(self, name: str, kind: int, ts: int = START, broker_ts: int = WALL, item: int = 5, **more: Any) -> Record:
        item, target = (-1 if kind >= UNDO else item), more.pop("target", "")
        return self.record(
            EVENTS_TOPIC, write_event(Event(name, kind, USER, item, 0, target, ts, **more), MOVIES), broker_ts
        )

    def shown(self, name: str, ts: int = START, broker_ts: int = WALL) -> Record:
        value = {"request_id": name, "user_id": USER, "ts": ts, "items": [{"item_id": 5}]}
        return self.record(SERVED_TOPIC, json.dumps(value).encode(), broker_ts)

    def feed(self, *records: Record) -> None:
        self.job.feed(records)

    def feed_later(self, *records: Record) -> None:
        """Feed records that come so long after all others that what came before is no more on its way."""
        self.time.advance(SILENT_S + 1)
        self.feed(*records)

    def samples(self) -> list[dict[str, Any]]:
        """The samples of lists, without the wishes to be forgotten."""
        return [sample for sample in self.all_samples() if "request_id" in sample]

    def all_samples(self) -> list[dict[str, Any]]:
        return [json.loads(row["v"]) for row in self.job.outputs["samples"]]

    def offset(self) -> bytes | None:
        found: bytes | None = self.client.hget(user_key(USER), N)
        return found

    def contributions(self, expected: int | None = None, item: int = 5) -> int:
        """How many contributions Redis has of an item. A write that was just sent is read over another connection, so the
        expected number is waited for."""
        deadline = monotonic() + 10
        while (found := int(self.client.hget(item_key(item), N) or 0)) != expected and expected is not None:
            if monotonic() > deadline:
                break
            sleep(0.001)
        return found

    def lane(self) -> Lane:
        found = read_lane(LANE, self.client.hgetall(lane_key(LANE)))
        assert found is not None
        return found


@pytest.fixture
def bench(small_base: Base, redis: RedisProcess) -> Iterator[Bench]:
    time_source = ManualTime(WALL)
    server = UnsteadyRedis(time_source)
    job = JobRun(settings_of(small_base.folder, redis.port), time_source, server)
    yield Bench(job, time_source, server, redis.client)
    job.close()


@pytest.mark.parametrize("value", [b"\xff{", b"{}", b""])
def test_a_record_that_can_not_be_read_ends_the_wait_for_it(bench: Bench, value: bytes) -> None:
    bench.feed(bench.event("a", CLICK), bench.record(EVENTS_TOPIC, value))
    bench.job.advance(1.0)
    assert bench.offset() == b"2"
    assert [(row["k"], row["off"]) for row in bench.job.outputs["rejected"]] == [(str(USER), "1")]


def test_a_reject_under_nobodys_key_or_in_another_partition_moves_nobody(bench: Bench) -> None:
    other = next(user for user in range(1, 100) if partition_of(user) != LANE)
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


def test_the_watermark_never_goes_back(bench: Bench) -> None:
    bench.feed(bench.event("a", CLICK, START + 2000), bench.event("b", CLICK, START + 1000))
    bench.job.advance(1.0)
    assert bench.lane().watermark_ms == START + 2000


def test_a_list_closes_when_the_lane_is_half_an_hour_on(bench: Bench) -> None:
    bench.feed(bench.shown("r"), bench.event("c", CLICK, request_id="r", position=0))
    bench.feed_later(bench.event("d", CLICK, broker_ts=CLOSING - 1))
    assert bench.samples() == []
    bench.feed_later(bench.event("e", CLICK, broker_ts=CLOSING))
    (sample,) = bench.samples()
    assert (sample["request_id"], sample["user_id"], sample["closed_ts"]) == ("r", USER, CLOSING)
    assert [action["event_id"] for action in sample["actions"]] == ["c"]
    bench.job.advance(1.0)
    assert (bench.lane().samples, bench.lane().open_lists) == (1, 0)


def test_while_both_topics_move_the_one_behind_closes_lists(bench: Bench) -> None:
    """As when a job that was away reads shown lists faster than events."""
    bench.feed(bench.shown("r"), bench.shown("much later", broker_ts=CLOSING + MINUTE_MS))
    bench.feed(bench.event("c", CLICK, request_id="r", broker_ts=WALL + MINUTE_MS))
    bench.feed(bench.shown("later still", broker_ts=CLOSING + 2 * MINUTE_MS))
    assert bench.samples() == []
    bench.feed(bench.event("d", CLICK, broker_ts=CLOSING + MINUTE_MS))
    (sample,) = bench.samples()
    assert [action["event_id"] for action in sample["actions"]] == ["c"]


def test_states_of_another_version_are_refused(bench: Bench) -> None:
    with pytest.raises(Broken, match=r"this home's 2: `./martlet down` and `up` fold the log anew"):
        require_state(2)
    with pytest.raises(Broken, match="this home's an older one"):
        require_state(0)


def test_an_answer_may_come_before_its_list(bench: Bench) -> None:
    bench.feed(bench.event("c", CLICK, request_id="r"), bench.shown("r"))
    bench.feed_later(bench.event("e", CLICK, broker_ts=CLOSING))
    assert [action["event_id"] for action in bench.samples()[0]["actions"]] == ["c"]


def test_what_was_undone_is_in_no_sample_and_answers_without_a_list_are_none(bench: Bench) -> None:
    bench.feed(
        bench.shown("r"),
        *(bench.event(name, CLICK, request_id="r") for name in "abc"),
        bench.event("undo", UNDO, target="b"),
        bench.event("d", CLICK, request_id="never shown"),
    )
    bench.feed_later(bench.event("e", CLICK, broker_ts=CLOSING))
    assert [[action["event_id"] for action in sample["actions"]] for sample in bench.samples()] == [["a", "c"]]


def test_what_was_shown_to_a_user_who_is_forgotten_leaves_no_sample(bench: Bench) -> None:
    """Nor does a list that was made before and logged after it."""
    bench.feed(
        bench.shown("r"), bench.event("f", FORGET_USER), bench.shown("logged late"), bench.shown("later", START + 1)
    )
    bench.feed_later(bench.event("e", CLICK, START + 1, broker_ts=CLOSING))
    assert [sample.get("request_id") for sample in bench.all_samples()] == [None, "later"]
    assert bench.all_samples()[0] == {"user_id": USER, "forgotten_ts": WALL}


def test_a_list_keeps_no_more_actions_than_its_bound(bench: Bench) -> None:
    bench.feed(bench.shown("r"), *(bench.event(f"c{n}", CLICK, request_id="r") for n in range(MAX_ACTIONS + 3)))
    few = bench.job.state_bytes()
    bench.feed(*(bench.event(f"d{n}", CLICK, request_id="r") for n in range(MAX_ACTIONS)))
    acted = bench.job.state_bytes(f"acted-{STATE_VERSION}")
    assert 0 < acted < few
    bench.feed_later(bench.event("e", CLICK, broker_ts=CLOSING))
    actions = [action["event_id"] for action in bench.samples()[0]["actions"]]
    assert actions == [f"c{n}" for n in range(MAX_ACTIONS)]
    assert bench.job.state_bytes(f"acted-{STATE_VERSION}") == 0


def test_the_lists_of_a_silent_lane_are_closed_by_wall_time(bench: Bench) -> None:
    bench.feed(bench.shown("r"))
    bench.job.advance((CLOSING - WALL + SILENCE_MS) / 1000 - 1)
    assert bench.samples() == []
    bench.job.advance(2)
    assert [sample["request_id"] for sample in bench.samples()] == ["r"]


def test_an_old_log_closes_no_list_by_wall_time_while_it_is_read(bench: Bench) -> None:
    day = 86_400
    bench.time.advance(day)
    for number in range(20):
        bench.feed(bench.shown(f"r{number}", START + number, WALL + number))
        bench.job.advance(SILENT_S / 2)
    assert bench.samples() == []


def test_what_a_lane_says_to_items_gathers_for_a_moment(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(5.0)
    first = bench.contributions()
    bench.feed(bench.event("b", LIKE))  # a calm lane says it at once
    assert bench.contributions(first + 1) == first + 1
    bench.feed(bench.event("c", LIKE))
    bench.feed(bench.event("d", LIKE))
    assert bench.contributions(first + 1) == first + 1
    bench.job.advance(SETTLE + LONGEST)
    assert bench.contributions(first + 3) == first + 3


def test_many_contributions_do_not_wait(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    pending = bench.job.state_bytes(f"lane-{STATE_VERSION}")
    bench.feed(*(bench.event(f"b{n}", LIKE, START + n) for n in range(SETTLE_AT)))
    assert bench.job.state_bytes(f"lane-{STATE_VERSION}") < pending + 20 * SETTLE_AT


def test_deltas_kept_in_state_are_folded_again_after_a_crash(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(5.0)
    before = bench.contributions()
    bench.feed(bench.event("b", LIKE))  # written at once; what follows closely is kept for the next flush
    other = next(user for user in range(1000, 1100) if partition_of(user) != LANE)
    value = write_event(Event("c", LIKE, other, 5, 0, "", START), MOVIES)
    bench.feed(Record(EVENTS_TOPIC, partition_of(other), 0, WALL, str(other), value))
    assert bench.job.state_bytes(f"deltas-{STATE_VERSION}") > 0
    bench.job.checkpoint()
    bench.job.crash()
    bench.job.touch_all()
    bench.job.advance(5.0)
    assert bench.contributions(before + 2) == before + 2
    assert decode_item(bench.client.hget(item_key(5), VALUE)).counts[LIKE] == 3
    assert bench.job.state_bytes(f"deltas-{STATE_VERSION}") == 0


def test_the_job_goes_on_with_another_number_of_subtasks(bench: Bench) -> None:
    users = list(range(1000, 1040))
    offsets: dict[int, int] = {}

    def click(round_: int) -> None:
        for user in users:
            number = partition_of(user)
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
    other = next(user for user in range(1000, 1100) if partition_of(user) == LANE)
    value = write_event(Event("b", LIKE, other, 6, 0, "", START), MOVIES)
    bench.feed(bench.record(EVENTS_TOPIC, value, key=str(other)))  # what the first batch changed is still unsent
    bench.job.advance(2.0)
    bench.job.checkpoint()
    bench.server.away(0.0)
    bench.job.crash()
    bench.job.advance(5.0)
    assert (bench.offset(), bench.client.hget(user_key(other), N)) == (b"1", b"2")
    assert bench.client.exists(item_key(5), item_key(6)) == 2


def test_with_a_full_buffer_the_operator_waits_for_redis(redis: RedisProcess) -> None:
    time_source = ManualTime(WALL)
    server = UnsteadyRedis(time_source)
    seams: dict[str, Any] = {"connect": server.connect, "time_source": time_source}
    writer = FeatureWriter("127.0.0.1", redis.port, 1, "items", 0, **seams)
    server.away(90.0)
    writer.put({f"i:{n}": StateWrite(1, 0, b"") for n in range(BUFFER_KEYS - 1)})
    assert time_source.slept == 0
    writer.put({"i:-1": StateWrite(1, 0, b"")})
    assert time_source.slept >= 89
    writer.close()
    assert redis.client.exists("i:-1", "i:0") == 2


@pytest.mark.parametrize("operator", [UserFold, ItemFold])
def test_an_operator_can_be_sent_to_where_it_runs(small_base: Base, operator: Any) -> None:
    made = operator(settings_of(small_base.folder, 9))
    assert vars(pickle.loads(pickle.dumps(made))).keys() == vars(made).keys()


def test_a_kept_delta_is_written_without_another_record(bench: Bench) -> None:
    """By its own timer, well before the next full second."""
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(5.0)
    before = bench.contributions()
    bench.feed(bench.event("b", LIKE))
    other = next(user for user in range(1000, 1100) if partition_of(user) != LANE)
    value = write_event(Event("c", LIKE, other, 5, 0, "", START), MOVIES)
    bench.feed(Record(EVENTS_TOPIC, partition_of(other), 0, WALL, str(other), value))
    assert bench.contributions(before + 1) == before + 1
    bench.job.advance(4 * SETTLE)
    assert bench.contributions(before + 2) == before + 2


def test_what_was_only_shown_waits_though_others_are_acted_on(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE), bench.event("z", LIKE, item=OTHER))
    bench.job.advance(2 * IMPRESSIONS)
    before, others = bench.contributions(), bench.contributions(item=OTHER)
    bench.feed(bench.shown("r1", broker_ts=bench.time.wall_ms()))  # a calm lane says it at once
    bench.feed(bench.shown("r2", broker_ts=bench.time.wall_ms()))
    for number in range(4):
        bench.feed(bench.event(f"o{number}", LIKE, item=OTHER))
        bench.job.advance(1.0)
    assert bench.contributions(before + 1) == before + 1
    assert bench.contributions(others + 4, item=OTHER) == others + 4
    bench.job.advance(1.2)
    assert bench.contributions(before + 2) == before + 2


def test_an_act_takes_the_impressions_of_its_item_along(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(2 * IMPRESSIONS)
    before = bench.contributions()
    for number in range(3):
        bench.feed(bench.shown(f"r{number}", broker_ts=bench.time.wall_ms()))
    bench.job.advance(2.0)
    bench.feed(bench.event("b", LIKE))
    bench.job.advance(1.0)
    assert bench.contributions(before + 4) == before + 4


def test_impressions_that_wait_are_written_after_a_crash(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(2 * IMPRESSIONS)
    before = bench.contributions()
    bench.feed(bench.shown("r1", broker_ts=bench.time.wall_ms()))
    bench.job.advance(1.0)  # Redis has acknowledged it
    bench.feed(bench.shown("r2", broker_ts=bench.time.wall_ms()))
    bench.feed(bench.event("o", LIKE, item=OTHER))
    bench.job.advance(1.0)
    assert bench.contributions(before + 1) == before + 1
    bench.job.checkpoint()
    bench.job.crash()
    bench.job.touch_all()
    assert bench.contributions(before + 2) == before + 2
