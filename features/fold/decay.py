"""Exponential decay in fixed point: the same integers on every machine.

`pow` and `exp` differ in the last bit between machines, so a fold that used them could not promise equal bytes. A weight
is an integer, ONE = 65,536 stands for one event; 2^(−Δ/half-life) comes from a table of 256 steps a half-life, computed
once in decimal arithmetic, which is specified to the digit.
"""

from decimal import Context, Decimal
from typing import Final

from features.units import DAY_MS, HOUR_MS

ONE: Final = 1 << 16
STEPS: Final = 256
SCALE_BITS: Final = 32

_context = Context(prec=40)
FADE: Final = tuple(
    int(
        _context.multiply(
            _context.power(Decimal(2), Decimal(-step) / STEPS), Decimal(1 << SCALE_BITS)
        ).to_integral_value()
    )
    for step in range(STEPS)
)
"""2^(−step / STEPS) in units of 2^−SCALE_BITS."""

RISE: Final = tuple(
    int(_context.multiply(_context.power(Decimal(2), Decimal(step) / STEPS), Decimal(ONE)).to_integral_value())
    for step in range(STEPS)
)
"""2^(step / STEPS) in units of 1/ONE: what an event weighs as of an epoch, by the steps from there to its time."""

HALF_LIVES: Final = (HOUR_MS, DAY_MS, 14 * DAY_MS)
"""The half-lives (ms) of every decayed statistic, short to long."""


def decay(weight: int, elapsed: int, half_life: int) -> int:
    """`weight` after `elapsed` ms, rounded down. `elapsed` ≤ 0 leaves it as it is.

    >>> decay(ONE, 1_000, 1_000) == ONE // 2
    True
    """
    if elapsed <= 0:
        return weight
    factor, shift = decay_factor(elapsed, half_life)
    # >> rounds towards −∞: keep the sign outside, so that what was added can be taken back.
    return (weight * factor) >> shift if weight >= 0 else -((-weight * factor) >> shift)


def decay_factor(elapsed: int, half_life: int) -> tuple[int, int]:
    """(factor, shift) such that weight · factor >> shift is a weight ≥ 0 after `elapsed` > 0 ms."""
    halvings, rest = divmod(elapsed, half_life)
    return (FADE[rest * STEPS // half_life], SCALE_BITS + halvings) if halvings <= 40 else (0, 0)


def lifted(ts: int, half_life: int) -> tuple[int, int]:
    """(epoch, weight): one event at `ts`, weighed as of the time epoch · half-life just before it, ONE ≤ weight < 2 · ONE.

    Weights kept as of a common epoch add up without decaying each: to go on to a later epoch is a shift (the forward
    decay of Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009).
    """
    epoch, rest = divmod(ts, half_life)
    return epoch, RISE[rest * STEPS // half_life]
