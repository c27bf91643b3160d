"""The lag-tolerant timeout counts the service's delay, not that of our own event loop."""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest
import uvloop

from online.support.deadline import lag_tolerant_timeout

TIMEOUT = 0.03
Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


async def _handed_on(reader: asyncio.StreamReader, hands: int) -> bytes:
    """A line, passed through several tasks: each takes one iteration of the loop, as the layers of a client do."""
    if hands:
        return await asyncio.create_task(_handed_on(reader, hands - 1))
    return await reader.readline()


async def answer_of(busy: float, answers: bool) -> bytes:
    """Result of a call to a service that responds at once, while the loop is busy."""
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)

    def other_lists() -> None:
        if answers:
            far.send(b"here\n")
        time.sleep(busy)

    asyncio.get_running_loop().call_later(0.01, other_lists)
    try:
        async with lag_tolerant_timeout(TIMEOUT):
            return await _handed_on(reader, 2)
    finally:
        writer.close()
        far.close()


@LOOPS
def test_an_answer_that_came_while_the_loop_was_busy_is_taken(loop: Loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(answer_of(3 * TIMEOUT, answers=True)) == b"here\n"


@LOOPS
@pytest.mark.parametrize("busy", [0.0, 3 * TIMEOUT])
def test_who_does_not_answer_is_given_up(loop: Loop, busy: float) -> None:
    began = time.monotonic()
    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(TimeoutError):
        runner.run(answer_of(busy, answers=False))
    assert time.monotonic() - began < 50 * TIMEOUT


def test_what_is_raised_within_comes_out() -> None:
    async def fails() -> None:
        async with lag_tolerant_timeout(1):
            raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        asyncio.run(fails())
