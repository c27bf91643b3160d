"""Repeated work goes on after an error that nobody expected."""

import asyncio

import pytest

from online.support.repeated import repeat


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
        await asyncio.wait_for(third.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [record.message for record in caplog.records][:2] == ["the clock failed; trying again"] * 2
