"""User updates over a real Redis: to the right listeners, to all of them, and after Redis was down."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.faults.suspended import resume, suspended
from features.engines.redis_address import RedisAddress
from features.keys import user_channel
from online.stores.user_updates import UserUpdates
from tests.faults.proxy import Proxy
from tests.patience import patience
from tests.redis_process import RedisProcess, redis_process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as running:
        yield running


def watch(server: RedisProcess, steps: Callable[[UserUpdates], Awaitable[None]]) -> None:
    async def run() -> None:
        subscription = UserUpdates(RedisAddress("127.0.0.1", server.port))
        try:
            await steps(subscription)
        finally:
            await subscription.stop()

    asyncio.run(run())


async def was_subscribed(updated: asyncio.Event, timeout: float = 20.0) -> bool:
    try:
        await asyncio.wait_for(updated.wait(), timeout)
    except TimeoutError:
        return False
    updated.clear()
    return True


def test_a_move_is_told_to_all_who_listen_to_that_user(server: RedisProcess) -> None:
    async def steps(subscription: UserUpdates) -> None:
        async with (
            subscription.subscribe(5, timeout=20) as one,
            subscription.subscribe(5, timeout=20) as same,
            subscription.subscribe(6, timeout=20) as other,
        ):
            assert subscription.listeners == 3
            server.client.publish(user_channel(5), "1")
            assert await was_subscribed(one)
            assert await was_subscribed(same)
            assert not await was_subscribed(other, 0.2)
            server.client.publish(user_channel(6), "1")
            assert await was_subscribed(other)
        assert subscription.listeners == 0
        async with subscription.subscribe(7, timeout=20) as later:
            server.client.publish(user_channel(7), "1")
            assert await was_subscribed(later)

    watch(server, steps)


def test_who_leaves_is_not_told_any_more_and_redis_forgets_the_channel(server: RedisProcess) -> None:
    async def steps(subscription: UserUpdates) -> None:
        async with subscription.subscribe(5, timeout=20):
            async with subscription.subscribe(6, timeout=20):
                assert server.client.pubsub_numsub(user_channel(6))[0][1] == 1
            async with asyncio.timeout(patience(30)):
                while server.client.pubsub_numsub(user_channel(6))[0][1]:
                    await asyncio.sleep(0.02)
            assert server.client.pubsub_numsub(user_channel(5))[0][1] == 1

    watch(server, steps)


def test_after_a_lost_connection_everyone_is_told(server: RedisProcess) -> None:
    async def steps(subscription: UserUpdates) -> None:
        async with subscription.subscribe(5, timeout=20) as updated:
            for entry in server.client.client_list(_type="pubsub"):
                server.client.client_kill(entry["addr"])
            assert await was_subscribed(updated), "what was said meanwhile is not known"
            server.client.publish(user_channel(5), "2")
            assert await was_subscribed(updated)

    watch(server, steps)


def test_after_a_connection_fell_silent_without_a_word_moves_are_told_again(server: RedisProcess) -> None:
    """A firewall has forgotten it: nothing comes, and nobody closes it."""

    async def run() -> None:
        with Proxy() as proxy:
            proxy.target = server.port
            updates = UserUpdates(RedisAddress("127.0.0.1", proxy.port), check_every=0.5)
            try:
                async with updates.subscribe(5, timeout=20) as updated:
                    server.client.publish(user_channel(5), "1")
                    assert await was_subscribed(updated)
                    assert proxy.swallow()
                    server.client.publish(user_channel(5), "2")
                    assert await was_subscribed(updated, patience(8)), "what was said meanwhile is not known"
                    server.client.publish(user_channel(5), "3")
                    assert await was_subscribed(updated)
            finally:
                await updates.stop()

    asyncio.run(run())


def test_a_connection_on_which_nobody_has_moved_is_kept(server: RedisProcess) -> None:
    def asked() -> int:
        """How often Redis was asked whether it is there."""
        found = server.client.info("commandstats").get("cmdstat_ping", {"calls": 0})
        calls: int = found["calls"]
        return calls

    def connections() -> list[str]:
        return [each["id"] for each in server.client.client_list(_type="pubsub")]

    async def run() -> None:
        updates = UserUpdates(RedisAddress("127.0.0.1", server.port), check_every=1.0)
        try:
            async with updates.subscribe(5, timeout=20):
                (first,) = connections()
                before = asked()
                async with asyncio.timeout(patience(30)):
                    while asked() < before + 2:
                        assert connections() == [first]
                        await asyncio.sleep(0.02)
                assert connections() == [first]
        finally:
            await updates.stop()

    asyncio.run(run())


def test_who_is_subscribed_later_than_they_waited_is_told(server: RedisProcess) -> None:
    """What was said until then is not known."""

    async def steps(subscription: UserUpdates) -> None:
        async with subscription.subscribe(6, timeout=20):  # connected
            with suspended(server.process.pid):
                async with subscription.subscribe(5, timeout=0.1) as updated:
                    resume(server.process.pid)
                    assert await was_subscribed(updated)

    watch(server, steps)


def test_without_redis_a_listener_goes_on_and_hears_nothing(tmp_path: Path) -> None:
    async def steps() -> None:
        subscription = UserUpdates(RedisAddress("127.0.0.1", 1))
        async with subscription.subscribe(5) as updated:
            assert not await was_subscribed(updated, 0.3)
        await subscription.stop()

    asyncio.run(steps())


def test_at_the_end_everyone_is_woken(server: RedisProcess) -> None:
    async def steps(subscription: UserUpdates) -> None:
        async with subscription.subscribe(5) as one, subscription.subscribe(6) as other:
            assert not subscription.ended
            subscription.end()
            assert subscription.ended
            assert await was_subscribed(one)
            assert await was_subscribed(other)

    watch(server, steps)


def test_it_stops_at_once_while_it_connects(server: RedisProcess) -> None:
    """A client of Redis that is connecting may lose the cancellation."""

    async def run() -> None:
        for delay in (0.0, 0.0005, 0.001, 0.002):
            updates = UserUpdates(RedisAddress("127.0.0.1", server.port))
            async with updates.subscribe(5, timeout=delay):
                pass
            await asyncio.wait_for(updates.stop(), 10)

    asyncio.run(run())
