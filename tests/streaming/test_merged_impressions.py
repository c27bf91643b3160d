"""Impressions go to items merged: whatever is merged, lost and sent again, items end as the fold of each one by itself says."""

import random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from features.base.reader import Base
from features.fold.co_visits import Pairs, encode_neighbours, slots_of
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, encode_features
from features.keys import item_key, pairs_key
from features.schema.tables import Schema
from features.types import IMPRESSION, Contribution
from features.units import DAY_MS
from streaming.testing.job_run import JobRun
from streaming.testing.manual_time import ManualTime
from streaming.testing.unsteady_redis import UnsteadyRedis
from tests.features.schema.test_tables import schemas
from tests.offline.small_log import START, WALL
from tests.online.conftest import write_base
from tests.redis_process import RedisProcess
from tests.schemas import MOVIES
from tests.streaming.bench import Bench
from tests.streaming.crashes import Contents, difference, found, settings_of
from tests.streaming.deltas import deltas

ORDERS = settings(max_examples=settings().max_examples // 4, phases=[Phase.explicit, Phase.generate])
"""A seed does not get simpler by being smaller."""

Sent = Contribution | tuple[int, tuple[int, ...]]
"""What a user's lane has for items: a contribution, or a shown list, (ts, items)."""
ITEMS = (1, 2, 3, 40, 70, 71, -5, -6)
"""Some of the base, some unknown to it, some whose ids outside are strings."""


def sent(rng: random.Random, schema: Schema) -> list[Sent]:
    """What a user's lane has for items, over more days than an item keeps: half of it shown lists, some of them from before 1970,
    the rest impressions and acts, some of which are taken back."""
    codes = [kind.code for kind in schema.kinds if kind is not None and not kind.name.startswith(("undo", "forget"))]
    log: list[Sent] = []
    acts: list[Contribution] = []
    for _ in range(rng.randrange(40)):
        newest_day = 80 * DAY_MS + rng.randrange(DAY_MS)
        ts = rng.choice([0, DAY_MS - 1, DAY_MS, newest_day, newest_day, rng.randrange(80 * DAY_MS)])
        which, item_id = rng.random(), rng.choice(ITEMS)
        if which < 0.5:
            log.append((ts - rng.choice([0, 0, 2 * DAY_MS]), tuple(rng.sample(ITEMS, rng.randrange(len(ITEMS))))))
        elif acts and which < 0.66:
            log.append(acts.pop(rng.randrange(len(acts)))._replace(sign=-1, item=""))
        else:
            code = IMPRESSION if which > 0.9 else rng.choice(codes)
            centi = rng.choice([50, 251, 400, 500]) if schema.kind(code).value else 0
            weight = schema.weight(code, centi)
            partners = tuple(rng.sample([each for each in ITEMS if each != item_id], 2)) if weight > 0 else ()
            name = f"SKU{item_id}" if item_id < 0 and rng.random() < 0.7 else ""
            acts.append(Contribution(item_id, ts, code, centi, 1, weight, rng.getrandbits(60), partners, name))
            log.append(acts[-1])
    return log


def one_by_one(log: list[Sent]) -> list[Contribution]:
    """The contributions of a log, those of a shown list singly."""
    singles: list[Contribution] = []
    for each in log:
        if isinstance(each, Contribution):
            singles.append(each)
        else:
            singles += [Contribution(item_id, each[0], IMPRESSION, 0, 1) for item_id in each[1]]
    return singles


def expected(log: list[Sent], base: Base) -> Contents:
    """Items and pairs in Redis, by the fold alone."""
    items: dict[int, ItemFeatures] = {}
    pairs: dict[int, Pairs] = {}
    for each in one_by_one(log):
        item_id = each.item_id
        known = items.get(item_id) or base.item_features(item_id) or ItemFeatures(item_id)
        items[item_id] = fold_item(known, each, base.schema)
        for other, *slot in slots_of(each):
            pairs.setdefault(other, base.pairs(other)).fold(*slot)
    contents: Contents = {
        item_key(item_id): (b"1", str(item.n).encode(), encode_features(item)) for item_id, item in items.items()
    }
    for item_id, of_item in pairs.items():
        contents[pairs_key(item_id)] = b"1", str(of_item.n).encode(), encode_neighbours(of_item.neighbours())
    return contents


def messages(rng: random.Random, logs: list[list[Sent]]) -> list[tuple[int, bytes]]:
    """What lanes of users send, (lane of items, message): each gathers for a while, and they take turns at random."""
    left = [list(log) for log in logs]
    size = rng.choice([1, 3, 30])
    made: list[tuple[int, bytes]] = []
    while any(left):
        log = rng.choice([each for each in left if each])
        gathered, log[:] = log[:size], log[size:]
        contributions = [each for each in gathered if isinstance(each, Contribution)]
        lists = [each for each in gathered if not isinstance(each, Contribution)]
        made += deltas(contributions, lists, WALL).items()
    return made


def live_through(rng: random.Random, job: JobRun, log: list[tuple[int, bytes]]) -> None:
    """Feed messages to items while the world does what it likes; what a crash loses comes again."""
    done = retained = 0
    while done < len(log):
        act = rng.choices(("feed", "checkpoint", "crash", "a while"), (60, 8, 4, 15))[0]
        if act == "feed":
            job.feed_items(*log[done])
            done += 1
        elif act == "checkpoint":
            job.checkpoint()
            retained = done
        elif act == "crash":
            job.crash()
            done = retained
        else:
            job.advance(rng.choice([0.05, 0.3, 6.0]))
    job.checkpoint()
    job.crash()
    job.touch_all()
    job.advance(12.0)


@ORDERS
@given(schema=schemas() | st.just(MOVIES), seed=st.integers(0, 2**32))
def test_merged_and_lost_and_sent_again_items_end_as_the_fold_of_single_impressions(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisProcess, schema: Schema, seed: int
) -> None:
    redis_server.client.flushall()
    rng = random.Random(seed)
    base = write_base(tmp_path_factory.mktemp("bases") / "1", schema)
    time_source = ManualTime(WALL)
    job = JobRun(settings_of(base.folder, redis_server.port), time_source, UnsteadyRedis(time_source))
    logs = [sent(rng, schema) for _ in range(3)]
    live_through(rng, job, messages(rng, logs))
    is_present = {key: value for key, value in found(redis_server.client).items() if key[:2] in ("i:", "p:")}
    assert difference(is_present, expected([each for log in logs for each in log], base)) is None
    job.close()


def test_lists_that_wait_in_their_lane_are_counted_once_after_a_crash(bench: Bench) -> None:
    bench.feed(bench.event("a", 1))
    bench.job.advance(20.0)
    before = bench.contributions()
    bench.feed(bench.shown("r1"))  # a calm lane sends it at once
    bench.feed(bench.shown("r2"), bench.shown("r3"))
    bench.job.checkpoint()
    assert bench.job.state_bytes("deltas") == 0
    bench.job.crash()
    bench.job.touch_all()
    bench.job.advance(20.0)
    assert bench.contributions() == before + 3
    bench.job.advance(20.0)
    assert bench.contributions() == before + 3


def test_lists_that_gather_in_a_lane_cost_its_state_little(bench: Bench) -> None:
    """Each is stored as one entry, though it is twenty impressions."""
    bench.feed(bench.shown("first"))
    empty = bench.job.state_bytes("lane")
    bench.feed(*(bench.shown(f"r{number}", START + number) for number in range(10)))
    assert empty < bench.job.state_bytes("lane") < empty + 10 * 20
