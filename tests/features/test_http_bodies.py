"""Large bodies hold so much together, and one that stands still makes room for others."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from features.http_bodies import STANDS_STILL, Bodies, Message
from tests.patience import patience

SMALL = 100
LARGE = 1000


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Refused(Exception):
    """There was no room."""


class Upload:
    """A body that is read as far as its caller has sent it."""

    def __init__(self, bodies: Bodies) -> None:
        self._parts: asyncio.Queue[Message] = asyncio.Queue()
        self._bodies = bodies
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> int:
        with self._bodies.of_one() as body:
            return len(await body.read([], self._parts.get, 100 * LARGE, patience(60)))

    async def send(self, size: int, more: bool = True) -> "Upload":
        self._parts.put_nowait({"type": "http.request", "body": b"x" * size, "more_body": more})
        for _ in range(5):
            await asyncio.sleep(0)
        return self

    @property
    def arrives(self) -> bool:
        return not self._task.done()

    async def ended(self) -> int:
        """Its size; raises what ended it."""
        async with asyncio.timeout(patience(2)):
            return await self._task

    async def __aenter__(self) -> "Upload":
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


Play = Callable[[Bodies, Clock], Coroutine[Any, Any, None]]


def played(play: Play, limit: int = 4 * LARGE, arriving: int = 2 * LARGE) -> None:
    clock = Clock()
    asyncio.run(play(Bodies(limit, arriving, SMALL, Refused, clock), clock))


def test_a_body_that_stands_still_makes_room_for_one_that_comes() -> None:
    async def play(bodies: Bodies, clock: Clock) -> None:
        async with Upload(bodies) as first, Upload(bodies) as second, Upload(bodies) as third:
            await first.send(LARGE)
            clock.now = 1.0
            await second.send(LARGE)
            clock.now += STANDS_STILL
            await third.send(LARGE)
            with pytest.raises(Refused, match="stood still"):
                await first.ended()
            assert second.arrives
            assert third.arrives
            await second.send(0, more=False)
            assert await second.ended() == LARGE

    played(play)


def test_one_that_grows_or_has_stood_still_for_a_moment_stays() -> None:
    async def play(bodies: Bodies, clock: Clock) -> None:
        async with Upload(bodies) as first, Upload(bodies) as second, Upload(bodies) as third:
            await first.send(LARGE - 1)
            clock.now = STANDS_STILL / 2
            await second.send(LARGE)
            clock.now += STANDS_STILL / 2
            await first.send(1)
            await third.send(LARGE)
            with pytest.raises(Refused, match=f"arriving at once: expected {2 * LARGE} bytes .* got {3 * LARGE}"):
                await third.ended()
            assert first.arrives
            assert second.arrives

    played(play)


def test_as_many_make_room_as_are_needed_and_none_where_all_are_too_few() -> None:
    async def play(bodies: Bodies, clock: Clock) -> None:
        async with Upload(bodies) as first, Upload(bodies) as second, Upload(bodies) as small, Upload(bodies) as third:
            for each in (first, second):
                await each.send(LARGE)
            await small.send(SMALL)
            clock.now = STANDS_STILL
            with bodies.of_one() as whole:
                with pytest.raises(Refused, match="held at once"):
                    whole.hold(5 * LARGE)
                assert first.arrives
                whole.hold(2 * LARGE)
                assert first.arrives
            await third.send(2 * LARGE)
            for each in (first, second):
                with pytest.raises(Refused, match="stood still"):
                    await each.ended()
            assert third.arrives
            assert small.arrives

    played(play)


def test_for_a_whole_one_bodies_that_stand_still_make_room_too() -> None:
    async def play(bodies: Bodies, clock: Clock) -> None:
        async with Upload(bodies) as still:
            await still.send(LARGE)
            clock.now = STANDS_STILL
            with bodies.of_one() as whole:
                whole.hold(4 * LARGE)
                with pytest.raises(Refused, match="stood still"):
                    await still.ended()

    played(play)


def test_a_whole_body_is_never_ended_however_long_it_is_held() -> None:
    async def play(bodies: Bodies, clock: Clock) -> None:
        with bodies.of_one() as body:
            parts = [{"type": "http.request", "body": b"x" * 4 * LARGE, "more_body": False}]

            async def receive() -> Message:
                return parts.pop()

            assert len(await body.read([], receive, 4 * LARGE, patience(60))) == 4 * LARGE
            clock.now = 10 * STANDS_STILL
            async with Upload(bodies) as other:
                await other.send(LARGE)
                with pytest.raises(Refused, match="held at once"):
                    await other.ended()

    played(play)


def test_what_was_refused_holds_no_more_than_before() -> None:
    async def play(bodies: Bodies, clock: Clock) -> None:
        with bodies.of_one() as first, bodies.of_one() as second:
            first.hold(LARGE)
            with pytest.raises(Refused):
                first.hold(4 * LARGE + 1)
            second.hold(3 * LARGE)
            assert (first.size, second.size) == (LARGE, 3 * LARGE)
        with bodies.of_one() as third:
            third.hold(4 * LARGE)

    played(play)
