"""Decayed weights, compiled: `features.fold.decay` says what they are."""

from typing import Final

import numpy as np

from features.arrays import IntArray
from features.fold.decay import FADE, HALF_LIVES, RISE, SCALE_BITS, STEPS
from features.recall.compiled import compiled

_RISE: Final[IntArray] = np.array(RISE)
_FADE: Final[IntArray] = np.array(FADE)
_HALF_LIVES: Final[IntArray] = np.array(HALF_LIVES)
_ALL_BITS: Final = 63
_LOW_BITS: Final = 16


@compiled
def epoch_of(ts: int, which: int) -> int:
    """The epoch of a time, for the half-life with that index."""
    return int(ts // _HALF_LIVES[which])


@compiled
def weight_of(ts: int, which: int) -> int:
    """What one event at `ts` weighs as of that epoch."""
    half_life = _HALF_LIVES[which]
    return int(_RISE[ts % half_life * STEPS // half_life])


@compiled
def halved(weight: int, times: int) -> int:
    """A weight ≥ 0, halved so many times, rounded down each time."""
    return weight >> min(times, _ALL_BITS)


@compiled
def added(total: int, change: int) -> int:
    """A decayed sum with a change, which never falls below 0."""
    return max(0, total + change)


@compiled
def faded(weight: int, elapsed: int, which: int) -> int:
    """A weight from 0 to below 2^46, after `elapsed` ms from 0 to below the half-life with that index."""
    factor = _FADE[elapsed * STEPS // _HALF_LIVES[which]]
    high, low = weight >> _LOW_BITS, weight & ((1 << _LOW_BITS) - 1)  # the whole product would leave 64 bits
    return int((high * factor + (low * factor >> _LOW_BITS)) >> (SCALE_BITS - _LOW_BITS))
