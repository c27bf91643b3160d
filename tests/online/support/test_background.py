"""Repeated work goes on after an error that nobody expected, and a task ends that has lost its cancellation."""

import asyncio

import pytest

from online.support.background import end, repeat


def test_an_error_ends_one_round_alone(caplog: pytest.LogCaptureFixture) -> None:
    rounds: list[int] = []
    third = asyncio.Event()

    async def work() -> None:
        rounds.append(1)
        if len(rounds) == 3:
            third.set()
        raise ValueError(f"round {len(rounds)}")

    async def run() -> None:
        task = asyncio.create_task(repeat("the clock", work, every=0.001))
        await asyncio.wait_for(third.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [record.message for record in caplog.records][:2] == ["the clock failed; trying again"] * 2


def test_a_task_that_loses_a_cancellation_ends_with_the_next() -> None:
    async def run() -> None:
        lost: list[int] = []

        async def stubborn() -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                lost.append(1)
            await asyncio.sleep(3600)

        async def broken() -> None:
            raise ValueError("broken")

        tasks = [asyncio.create_task(work()) for work in (stubborn, broken)]
        await asyncio.sleep(0)
        await asyncio.wait_for(end(*tasks, None, again=0.01), 10)
        assert tasks[0].cancelled()
        assert tasks[1].done()
        assert lost == [1]

    asyncio.run(run())


def test_a_task_that_never_ends_is_left_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        released = False

        async def deaf() -> None:
            while not released:
                try:
                    await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    continue

        task = asyncio.create_task(deaf(), name="deaf one")
        await asyncio.sleep(0)
        await end(task, again=0.01, give_up=0.05)
        assert not task.done()
        released = True
        await task

    asyncio.run(run())
    assert [record.message for record in caplog.records] == ["the task 'deaf one' does not end"]
