"""The bare reader, over a real Redis: replies go to who asked, whatever others do, and a lost connection is made again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hiredis import pack_command

from benchmarks.faults.suspended import resume, suspend
from features.engines.redis_address import RedisAddress
from features.errors import Unavailable
from infra.system.processes import free_ports
from online.redis_client.redis_reader import MAX_WAITING, RedisReader
from online.redis_client.server_link import ServerLink
from tests.patience import patience
from tests.redis_process import RedisProcess, redis_process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with redis_process(tmp_path) as running:
        running.client.mset({f"k{number}": number for number in range(200)})
        yield running


def get(*names: str) -> list[bytes]:
    return [pack_command(("GET", name)) for name in names]


def play(port: int, steps: Callable[[RedisReader], Awaitable[None]], limit: int = MAX_WAITING) -> None:
    """Play the steps on each of the event loops: the API's is uvloop."""

    async def run() -> None:
        reader = RedisReader(RedisAddress("127.0.0.1", port), limit)
        try:
            await asyncio.wait_for(steps(reader), 60)
        finally:
            await reader.close()

    for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(run())


def test_replies_go_to_who_asked_for_them(server: RedisProcess) -> None:
    async def steps(reader: RedisReader) -> None:
        reads = [reader.read("k", get(*(f"k{number}" for number in range(first)))) for first in range(1, 150)]
        for first, replies in enumerate(await asyncio.wait_for(asyncio.gather(*reads), 15), start=1):
            assert replies == [str(number).encode() for number in range(first)]
        assert server.client.info("clients")["connected_clients"] == 2  # this one, and the test's own

    play(server.port, steps)


def test_who_gives_up_takes_nobody_elses_reply(server: RedisProcess) -> None:
    async def steps(reader: RedisReader) -> None:
        await reader.read("k", get("k1"))
        suspend(server.process.pid)
        given_up = [asyncio.create_task(reader.read("k", get("k1", "k2"))) for _ in range(20)]
        patient = asyncio.create_task(reader.read("k", get("k3")))
        await asyncio.sleep(0.05)
        for task in given_up:
            task.cancel()
        resume(server.process.pid)
        assert await patient == [b"3"]
        assert await reader.read("k", get("k4", "none")) == [b"4", None]

    play(server.port, steps)


def test_a_lost_connection_fails_its_reads_and_the_next_read_makes_another(server: RedisProcess) -> None:
    async def steps(reader: RedisReader) -> None:
        await reader.read("k", get("k1"))
        suspend(server.process.pid)
        waiting = [asyncio.create_task(reader.read("k", get("k1"))) for _ in range(3)]
        await asyncio.sleep(0.05)
        resume(server.process.pid)
        await asyncio.gather(*waiting)
        await asyncio.to_thread(server.client.execute_command, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for _ in range(200):  # the loss may be seen with the read, or before it
            try:
                assert await reader.read("k", get("k2")) == [b"2"]
                break
            except Unavailable:
                await asyncio.sleep(0.01)
        assert await reader.read("k", get("k5")) == [b"5"]

    play(server.port, steps)


def test_an_error_is_that_of_its_read_alone(server: RedisProcess) -> None:
    async def steps(reader: RedisReader) -> None:
        wrong = reader.read("k", [pack_command(("HGET", "k1", "x")), *get("k1")])
        with pytest.raises(Unavailable, match="WRONGTYPE"):
            await wrong
        assert await reader.read("k", get("k6")) == [b"6"]

    play(server.port, steps)


def test_without_a_redis_it_is_said_at_once(tmp_path: Path) -> None:
    async def steps(reader: RedisReader) -> None:
        with pytest.raises(Unavailable, match="Redis: ConnectionRefusedError"):
            await reader.read("k", get("k1"))

    play(free_ports(1)[0], steps)


def test_no_more_than_so_many_wait_for_one_that_stands_still(server: RedisProcess) -> None:
    async def steps(reader: RedisReader) -> None:
        await reader.read("k", get("k1"))
        suspend(server.process.pid)
        waiting: list[asyncio.Task[Any]] = [asyncio.create_task(reader.read("k", get("k1"))) for _ in range(5)]
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable, match="5 reads wait"):
            await reader.read("k", get("k1"))
        resume(server.process.pid)
        assert await asyncio.gather(*waiting) == [[b"1"]] * 5

    play(server.port, steps, 5)


def test_what_is_no_reply_ends_the_connection() -> None:
    async def run() -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"hello\r\n")
            await writer.drain()

        listening = await asyncio.start_server(babble, "127.0.0.1", 0)
        reader = RedisReader(RedisAddress("127.0.0.1", listening.sockets[0].getsockname()[1]))
        with pytest.raises(Unavailable, match="Redis: the connection was lost"):
            await asyncio.wait_for(reader.read("k", get("k1")), 20)
        await reader.close()
        listening.close()

    asyncio.run(run())


def test_a_connection_that_leads_nowhere_is_given_up() -> None:
    """The first one is silent for ever, without being closed; later ones answer."""

    async def run() -> None:
        connected: list[int] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.append(1)
            silent = len(connected) == 1
            while data := await reader.read(1000):
                if not silent:
                    writer.write(b"$1\r\n7\r\n" * data.count(b"GET"))

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader = RedisReader(RedisAddress("127.0.0.1", listening.sockets[0].getsockname()[1]))

        async def once() -> bool:
            try:
                async with asyncio.timeout(0.05):
                    return await reader.read("k", get("k1")) == [b"7"]
            except (Unavailable, TimeoutError):
                return False

        async with asyncio.timeout(patience(15)):
            while not await once():
                await asyncio.sleep(0.02)
        assert len(connected) == 2
        await reader.close()
        listening.close()

    asyncio.run(run())


def test_a_link_that_is_closed_while_it_connects_cancels_nobody() -> None:
    """Who waits for the connection learns that it is gone; only who was cancelled is."""

    async def run() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # never greets

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        link = ServerLink(RedisAddress("127.0.0.1", port, password="secret"), None, 10)
        waiting = [asyncio.create_task(link.read(get("k1"))) for _ in range(2)]
        await asyncio.sleep(0.1)
        waiting[0].cancel()
        await link.close()
        found = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 15)
        assert [type(each) for each in found] == [asyncio.CancelledError, Unavailable]
        listening.close()

    for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(run())
