"""Reading a user from a real Redis: one late response, down, and back."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from inspect import signature
from pathlib import Path

import pytest

from benchmarks.faults.suspended import resume, suspend
from features.base.reader import Base
from features.engines.redis_address import RedisAddress
from features.fold.state import UserFeatures, encode_features
from features.keys import APPLIED_TS, BROKER_TS, CLOCK_KEY, GENERATION, LOADED_KEY, VALUE, N, user_key
from infra.system.repository import REPO
from online.stores.user_store import FAILURES_TO_REST, REST, LiveUser, UserStore
from online.support import metrics
from tests.online.counts import count_of
from tests.patience import patience
from tests.redis_process import RedisProcess, redis_process

pytestmark = pytest.mark.services

USER = 5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as running:
        value = encode_features(UserFeatures(USER, last_ts=77))
        running.client.hset(user_key(USER), mapping={VALUE: value, BROKER_TS: 0, APPLIED_TS: 0})
        yield running


PATIENT = 10.0
"""Seconds that Redis has for an answer where it gives one."""
SHORT = 1.0
"""The same where it gives none; many times what it has in the API, so that one that goes on again is in time."""


def test_redis_has_as_long_in_the_api_as_the_documentation_says() -> None:
    timeout = signature(UserStore).parameters["timeout"].default
    text = (REPO / "docs" / "serving.md").read_text(encoding="utf-8")
    said = re.search(r"Redis' bound of (\d+) ms", text)
    assert said is not None
    assert timeout == int(said[1]) / 1000


def run_steps(
    server: RedisProcess,
    base: Base,
    steps: Callable[[UserStore], Awaitable[None]],
    generation: int = 1,
    timeout: float = PATIENT,
) -> None:
    """Run the steps with a store that is connected."""

    async def run() -> None:
        store = UserStore(RedisAddress("127.0.0.1", server.port), generation, base, timeout)
        try:
            async with asyncio.timeout(patience(60)):
                while not (await store.load_user(USER)).live:
                    await asyncio.sleep(0.1)
            await steps(store)
        finally:
            await store.close()

    asyncio.run(run())


def stop(server: RedisProcess) -> None:
    suspend(server.process.pid)


def go_on(server: RedisProcess) -> None:
    resume(server.process.pid)


def test_one_late_answer_costs_one_list_and_not_the_next(server: RedisProcess, base: Base) -> None:
    async def steps(store: UserStore) -> None:
        stop(server)
        assert not (await store.load_user(USER)).live
        go_on(server)
        again: LiveUser = await store.load_user(USER)
        assert (again.live, again.features.last_ts) == (True, 77)

    run_steps(server, base, steps, timeout=SHORT)


def test_a_redis_that_is_away_is_not_waited_for_and_found_again(server: RedisProcess, base: Base) -> None:
    async def steps(store: UserStore) -> None:
        stop(server)
        began = time.monotonic()
        for _ in range(FAILURES_TO_REST):
            assert not (await store.load_user(USER)).live
        waited = time.monotonic() - began
        began = time.monotonic()
        for _ in range(50):
            assert not (await store.load_user(USER)).live
        assert time.monotonic() - began < waited  # fifty without a wait take less than three with one
        go_on(server)
        await asyncio.sleep(REST)
        assert (await store.load_user(USER)).live

    run_steps(server, base, steps, timeout=SHORT)


@pytest.mark.parametrize(("generation", "offset", "held"), [(1, 99, True), (1, 100, False), (2, 10, False)])
def test_a_token_is_fulfilled_by_its_own_generation_once_the_log_is_read_that_far(
    server: RedisProcess, base: Base, generation: int, offset: int, held: bool
) -> None:
    server.client.hset(user_key(USER), mapping={GENERATION: 1, N: 99})

    async def steps(store: UserStore) -> None:
        assert await store.behind({USER: offset}, PATIENT) == ({} if held else {USER: offset})

    run_steps(server, base, steps, generation)


@pytest.mark.parametrize(("broker", "applied", "expected"), [(1000, 1161, 161), (1000, 999, 0), (0, 1161, None)])
def test_it_is_told_how_long_the_newest_event_took(
    server: RedisProcess, base: Base, broker: int, applied: int, expected: int | None
) -> None:
    """161 ms; none where the clocks disagree; nothing where no event of the stream is in the features."""
    server.client.hset(user_key(USER), mapping={BROKER_TS: broker, APPLIED_TS: applied, N: 12})

    async def steps(store: UserStore) -> None:
        user = await store.load_user(USER)
        assert (user.applied_in_ms, user.n, user.live, user.known) == (expected, 12, True, True)

    run_steps(server, base, steps)


@pytest.mark.parametrize(("loaded", "live"), [(1, True), (None, False), (2, False)])
def test_a_redis_that_was_emptied_knows_no_users(
    server: RedisProcess, base: Base, loaded: int | None, live: bool
) -> None:
    """Where it holds the base, it has all users that there are: a new one is live, without features."""

    async def steps(store: UserStore) -> None:
        if loaded is not None:
            server.client.set(LOADED_KEY, loaded)
        new = await store.load_user(USER + 1)
        assert (new.live, new.known, new.features.sequence) == (live, False, [])

    run_steps(server, base, steps)


@pytest.mark.parametrize(("field", "value"), [(VALUE, b"\xff\x00"), (VALUE, b""), (BROKER_TS, b"soon"), (N, b"x")])
def test_what_is_no_user_in_redis_is_the_bases_and_counted(
    server: RedisProcess, base: Base, field: str, value: bytes
) -> None:
    async def steps(store: UserStore) -> None:
        before = count_of(metrics.UNREADABLE.labels("user"))
        server.client.hset(user_key(USER), field, value)
        assert not (await store.load_user(USER)).live
        assert count_of(metrics.UNREADABLE.labels("user")) == before + 1

    run_steps(server, base, steps)


def test_a_clock_that_is_no_time_is_no_mark(server: RedisProcess, base: Base) -> None:
    async def steps(store: UserStore) -> None:
        server.client.set(CLOCK_KEY, "noon")
        assert await store.clock_mark() is None
        server.client.set(CLOCK_KEY, "-5")
        assert await store.clock_mark() == -5

    run_steps(server, base, steps)
