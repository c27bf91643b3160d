"""Load shedding: a limited number of lists at once, a short queue, and an immediate 503 beyond it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from online.http.load_shedding import MAX_WRITES, LoadGuard, LoadShedder
from online.http.problems import Problem
from tests.online.in_process import FakeLog, api
from tests.patience import patience


async def _hold(shedder: LoadShedder, release: asyncio.Event) -> None:
    async with shedder.slot():
        await release.wait()


async def _hold_background(shedder: LoadShedder, release: asyncio.Event) -> None:
    async with shedder.background_slot():
        await release.wait()


async def _others_run() -> None:
    """All that can go on without waiting for anything has done so."""
    for _ in range(20):
        await asyncio.sleep(0)


LONG_ENOUGH = 60.0
"""Seconds of patience where nobody is to lose it."""


def test_lists_that_may_wait_leave_room_for_those_that_may_not() -> None:
    async def play() -> None:
        shedder, release, inside = LoadShedder(concurrent=3, background=2), asyncio.Event(), asyncio.Event()
        inside.set()
        many = [asyncio.create_task(_hold_background(shedder, release)) for _ in range(50)]
        await _others_run()
        assert not shedder.full
        for _ in range(5):
            await _hold(shedder, inside)  # at once, each of them
        release.set()
        await asyncio.gather(*many)

    asyncio.run(play())


def test_the_next_in_line_comes_in_when_one_goes() -> None:
    async def play() -> None:
        shedder, release = LoadShedder(concurrent=1, timeout=LONG_ENOUGH), asyncio.Event()
        first = asyncio.create_task(_hold(shedder, release))
        await asyncio.sleep(0)
        second = asyncio.create_task(_hold(shedder, release))
        await _others_run()
        assert not second.done()
        release.set()
        await asyncio.gather(first, second)

    asyncio.run(play())


def test_who_waits_too_long_is_told_to_come_again_and_leaves_no_trace() -> None:
    async def play() -> None:
        shedder, release = LoadShedder(concurrent=1), asyncio.Event()
        first = asyncio.create_task(_hold(shedder, release))
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await _hold(shedder, release)
        assert refused.value.status == 503
        assert refused.value.headers == {"Retry-After": "1"}
        release.set()
        await first
        assert not shedder.full
        await asyncio.gather(_hold(shedder, release), _hold(shedder, release))

    asyncio.run(play())


def test_beyond_the_queue_a_list_is_refused_before_it_is_read() -> None:
    async def play() -> None:
        shedder, release, reached = LoadShedder(concurrent=1, waiting=1, timeout=LONG_ENOUGH), asyncio.Event(), []

        async def app(scope: object, receive: object, send: object) -> None:
            reached.append(scope)

        async def receive() -> Message:
            raise AssertionError("the body was read")

        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        held = [asyncio.create_task(_hold(shedder, release)) for _ in range(2)]
        await _others_run()
        guard = LoadGuard(app, shedder)
        await guard({"type": "http", "method": "GET", "path": "/v1/recommendations", "headers": []}, receive, send)
        assert (sent[0]["status"], reached) == (503, [])
        await guard({"type": "http", "method": "GET", "path": "/healthz", "headers": []}, receive, send)
        assert len(reached) == 1
        release.set()
        await asyncio.gather(*held)

    asyncio.run(play())


def test_waits_that_were_in_vain_leave_no_trace_in_the_queue() -> None:
    async def play() -> None:
        shedder, release = LoadShedder(concurrent=1, waiting=2), asyncio.Event()
        first = asyncio.create_task(_hold(shedder, release))
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(Problem):
                await _hold(shedder, release)
        assert not shedder.full
        release.set()
        await first

    asyncio.run(play())


class SilentLog(FakeLog):
    """Takes events and acknowledges none, until `release`."""

    def __init__(self, release: asyncio.Event) -> None:
        super().__init__()
        self._release = release

    async def append_events(self, events: Any) -> dict[int, int]:
        taken = await super().append_events(events)
        await self._release.wait()
        return taken


def test_events_that_wait_for_kafka_leave_room_for_lists(tmp_path: Path) -> None:
    app = api(tmp_path)

    async def play() -> None:
        release = asyncio.Event()
        log: Any = SilentLog(release)
        app.state.server = replace(app.state.server, event_log=log)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=patience(20)
        ) as client:

            async def post() -> httpx.Response:
                return await client.post("/v1/events", json={"type": "click", "user_id": 7, "item_id": 1})

            waiting = [asyncio.create_task(post()) for _ in range(MAX_WRITES)]
            async with asyncio.timeout(patience(20)):
                while len(log.events) < MAX_WRITES:
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(patience(3)):
                refused = await post()
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert "writes wait for Kafka" in refused.json()["detail"]
            assert (await client.get("/v1/recommendations", params={"user_id": 7})).status_code == 200
            ranked = await client.post("/v1/rank", json={"user_id": 7, "item_ids": [1, 2]})
            assert ranked.status_code == 200
            release.set()
            assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {202}
            assert len(log.events) == MAX_WRITES
            assert (await post()).status_code == 202

    asyncio.run(play())
