"""A bound counts what somebody else took, not what this process' own loop did."""

import asyncio
import socket
import time

import pytest
import uvloop

from online.bound import bounded


async def answer_of(bound: float, busy: float, answers: bool) -> bytes:
    """What a service that answers at once is read as, while the loop is busy with something else."""
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=here)
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, time.sleep, busy)
    if answers:
        there.send(b"here\n")
    try:
        await asyncio.sleep(0)
        async with bounded(bound):
            await asyncio.sleep(0.02)  # the loop is busy from now on: the bound ends before it looks again
            return await reader.readline()
    finally:
        writer.close()
        there.close()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_answer_that_came_while_the_loop_was_busy_is_taken(loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(answer_of(0.03, 0.1, answers=True)) == b"here\n"


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("busy", [0.0, 0.1])
def test_who_does_not_answer_is_given_up(loop, busy: float) -> None:
    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(TimeoutError):
        runner.run(asyncio.wait_for(answer_of(0.03, busy, answers=False), 5))


def test_what_is_raised_within_comes_out() -> None:
    async def fails() -> None:
        async with bounded(1):
            raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        asyncio.run(fails())
