"""Wall clocks that are set: timers go by them, and nothing stands still."""

import pytest

from features.types import LIKE
from features.units import HOUR_MS
from streaming.operators.timers import TICK_MS
from tests.streaming.bench import Bench


@pytest.mark.parametrize("between", [1.0, 0.9])
def test_a_clock_that_is_set_back_while_a_timer_is_due_holds_nothing_up(bench: Bench, between: float) -> None:
    """The timer was set by the clock of before."""
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(between)
    bench.time.set_clock(bench.time.wall_ms() - HOUR_MS)
    bench.job.advance(2.0)
    before = bench.contributions()
    bench.server.away(3.0)
    bench.feed(bench.event("b", LIKE))
    bench.job.advance(3.0 + 2 * TICK_MS / 1000)
    assert bench.offset() == b"2"
    assert bench.contributions() == before + 1


def test_ticks_go_on_when_the_clock_has_caught_up(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.time.set_clock(bench.time.wall_ms() - 10 * TICK_MS)
    bench.feed(bench.event("b", LIKE))
    bench.job.advance(20.0)
    bench.server.away(3.0)
    bench.feed(bench.event("c", LIKE))
    bench.job.advance(3.0 + 2 * TICK_MS / 1000)
    assert bench.offset() == b"3"


def test_a_clock_that_is_set_forward_holds_nothing_up(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.time.set_clock(bench.time.wall_ms() + HOUR_MS)
    bench.server.away(3.0)
    bench.feed(bench.event("b", LIKE))
    bench.job.advance(3.0 + 2 * TICK_MS / 1000)
    assert bench.offset() == b"2"
