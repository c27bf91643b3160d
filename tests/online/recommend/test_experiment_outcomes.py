"""Outcomes of experiments, over a real Redis: each list counts once per outcome, whichever process takes the event, and a bounded
number of lists is remembered."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop

from benchmarks.faults.suspended import resume, suspend
from features.engines.redis_address import RedisAddress
from features.errors import Unavailable
from features.keys import SHOWN_ACTS_KEY, SHOWN_LISTS_KEY, SHOWN_ORDER_KEY
from features.types import CLICK, DISLIKE, IMPRESSION, LIKE, RATING, UNDO, Event
from online.recommend.experiment_outcomes import BATCH, MAX_PENDING, TIMEOUT, ExperimentOutcomes
from online.redis_client.redis_reader import RedisReader
from online.support import metrics
from tests.online.counts import count_of
from tests.redis_process import RedisProcess, redis_process
from tests.schemas import MOVIES


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as running:
        yield running


def event(kind: int, request_id: str | None, centi: int = 0) -> Event:
    return Event(f"e{kind}", kind, 1, 2 if kind < UNDO else -1, centi, "", 0, request_id, 0)


def counted(experiment: str, arm: str) -> tuple[float, float]:
    outcomes, liked = (count_of(metrics.ACTED.labels(experiment, arm, outcome)) for outcome in ("acted", "liked"))
    return outcomes, liked


Steps = Callable[[ExperimentOutcomes, ExperimentOutcomes], Awaitable[None]]


def play(port: int, steps: Steps, limit: int = 100) -> None:
    """Play the steps with the outcomes of two processes, which send all that they have at the end."""

    async def run() -> None:
        both = [ExperimentOutcomes(MOVIES, RedisReader(RedisAddress("127.0.0.1", port)), limit=limit) for _ in range(2)]
        for each in both:
            each.start()
        try:
            await asyncio.wait_for(steps(*both), 60)
        finally:
            for each in both:
                await each.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


def test_a_list_counts_once_an_outcome_whichever_process_takes_the_event(server: RedisProcess) -> None:
    async def steps(one: ExperimentOutcomes, other: ExperimentOutcomes) -> None:
        one.record_shown("list", {"once": "a"})
        await until(lambda: bool(server.client.hlen(SHOWN_LISTS_KEY)))
        other.record_events(
            [event(IMPRESSION, "list"), event(UNDO, "list"), event(CLICK, None), event(CLICK, "another")]
        )
        one.record_shown("beside", {"once": "b"})
        await until(lambda: int(server.client.hlen(SHOWN_LISTS_KEY)) == 2)
        other.record_events([event(CLICK, "beside")])
        await until(lambda: counted("once", "b") == (1, 1))  # what was recorded before it is counted, too
        assert counted("once", "a") == (0, 0)
        other.record_events([event(DISLIKE, "list"), event(RATING, "list", 350)])
        await until(lambda: counted("once", "a") == (1, 0))
        one.record_events([event(RATING, "list", 400)])
        await until(lambda: counted("once", "a") == (1, 1))
        other.record_events([event(LIKE, "list")])

    play(server.port, steps)
    assert counted("once", "a") == (1, 1)


def test_a_list_counts_for_each_of_its_experiments(server: RedisProcess) -> None:
    async def steps(one: ExperimentOutcomes, other: ExperimentOutcomes) -> None:
        one.record_shown("list", {"one": "a", "two": "control"})
        one.record_events([event(LIKE, "list")])

    play(server.port, steps)
    assert counted("one", "a") == counted("two", "control") == (1, 1)


def test_only_the_newest_lists_are_remembered_and_none_without_an_experiment(server: RedisProcess) -> None:
    async def steps(one: ExperimentOutcomes, other: ExperimentOutcomes) -> None:
        for name in ("first", "second", "second", "third"):
            one.record_shown(name, {"newest": name})
        one.record_shown("plain", {})
        one.record_events([event(CLICK, name) for name in ("first", "second", "third", "plain")])

    play(server.port, steps, limit=2)
    assert [counted("newest", name)[0] for name in ("first", "second", "third")] == [0, 1, 1]
    assert (server.client.hlen(SHOWN_LISTS_KEY), server.client.llen(SHOWN_ORDER_KEY)) == (2, 2)


def test_what_is_remembered_of_acts_goes_with_their_lists(server: RedisProcess) -> None:
    async def steps(one: ExperimentOutcomes, other: ExperimentOutcomes) -> None:
        for name in ("first", "second", "third", "fourth"):
            one.record_shown(name, {"newest": name})
            one.record_events([event(LIKE, name)])

    play(server.port, steps, limit=2)
    assert set(server.client.hkeys(SHOWN_ACTS_KEY)) == {
        f"{outcome}:{name}".encode() for outcome in ("acted", "liked") for name in ("third", "fourth")
    }


class Lossy(RedisReader):
    """A reader that loses the replies to some reads, after Redis has done what they say."""

    losses = 0

    async def read(self, key: str, commands: Sequence[bytes]) -> list[Any]:
        replies = await super().read(key, commands)
        if self.losses:
            self.losses -= 1
            raise Unavailable("Redis: the connection was lost")
        return replies


def test_an_outcome_counts_once_though_the_reply_is_lost_and_its_act_sent_again(server: RedisProcess) -> None:
    async def steps(one: ExperimentOutcomes, other: ExperimentOutcomes) -> None:
        reader = Lossy(RedisAddress("127.0.0.1", server.port))
        lossy = ExperimentOutcomes(MOVIES, reader)
        other.record_shown("list", {"lossy": "a"})
        await until(lambda: not other.pending)
        reader.losses = 1
        lossy.start()
        lossy.record_events([event(CLICK, "list"), event(CLICK, "list"), event(LIKE, "list"), event(LIKE, "list")])
        await until(lambda: not reader.losses)
        other.record_events([event(LIKE, "list")])
        await until(lambda: not other.pending)
        await until(lambda: not lossy.pending)
        await lossy.stop()

    play(server.port, steps)
    assert counted("lossy", "a") == (1, 1)


def test_without_experiments_events_are_not_sent(server: RedisProcess) -> None:
    async def steps(one: ExperimentOutcomes, other: ExperimentOutcomes) -> None:
        idle = ExperimentOutcomes(MOVIES, RedisReader(RedisAddress("127.0.0.1", 9)), lambda: False)
        idle.record_events([event(CLICK, "list")])
        await idle.stop()

    before = count_of(metrics.OUTCOMES_DROPPED)
    play(server.port, steps)
    assert count_of(metrics.OUTCOMES_DROPPED) == before


def test_what_comes_while_redis_stands_still_is_counted_later_and_is_bounded(server: RedisProcess) -> None:
    async def steps(one: ExperimentOutcomes, other: ExperimentOutcomes) -> None:
        one.record_shown("list", {"later": "a"})
        await until(lambda: not one.pending)
        suspend(server.process.pid)
        one.record_events([event(CLICK, "list")] * (MAX_PENDING + 5))
        resume(server.process.pid)
        await until(lambda: counted("later", "a") == (1, 1))

    before = count_of(metrics.OUTCOMES_DROPPED)
    play(server.port, steps)
    assert count_of(metrics.OUTCOMES_DROPPED) - before == 5


def test_what_redis_does_not_take_at_the_end_is_counted_and_waited_for_once(server: RedisProcess) -> None:
    async def steps() -> None:
        ended = ExperimentOutcomes(MOVIES, RedisReader(RedisAddress("127.0.0.1", server.port)))
        suspend(server.process.pid)
        ended.record_events([event(CLICK, "list")] * (3 * BATCH))
        try:
            await asyncio.wait_for(ended.stop(), 10 * TIMEOUT)
        finally:
            resume(server.process.pid)

    before = count_of(metrics.OUTCOMES_DROPPED)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(steps())
    assert count_of(metrics.OUTCOMES_DROPPED) - before == 3 * BATCH
