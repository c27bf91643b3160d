"""An anytime-valid test of paired differences, by betting (I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random
variables by betting", JRSS B 2023).

A list brings a difference d in [-1, 1] between two ways to make it, above 0 where the first was better. Whoever bets on a mean
above m multiplies their wealth for each user by 1 + c · Σ(d - m) / (K (1 + m)), over the user's first K = LISTS_PER_USER lists:
a user is one bet, so that a hundred lists of one user count no more than K of different ones, and wealth can't fall below
(1 - c) of itself for one of them. The e-value is the mean wealth over several stakes c. If no list is better than m on average,
given all before it, wealth is a martingale, and P(it ever reaches 1/α) ≤ α (Ville's inequality), whenever one looks. Users that
differ but are equal on average keep to it as well (tests/features/statistics holds that by simulation).

The order of users does not matter: an e-value depends on each user's number of lists and sum of differences alone.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from features.arrays import DoubleArray

LISTS_PER_USER: Final = 10
"""Lists of a user that count; K above."""
MAX_USERS: Final = 100_000
"""Users that one comparison counts; it is decided long before."""
IN_VAIN: Final = 1_000
"""Users whose lists in vain are counted."""
STAKES: Final[DoubleArray] = np.geomspace(0.02, 0.95, 8)
"""Shares of the wealth, c above, staked on a user who could lose them all."""
ALPHA: Final = 0.05
"""Probability of a wrong verdict, of one comparison."""
_STEPS: Final = 30
"""Halvings of the interval in which a bound of the confidence sequence is sought."""


@dataclass
class PairedDifferences:
    """Differences by user. counts: user → lists that count, sums: user → the sum of their differences; ignored: differences
    beyond a user's LISTS_PER_USER, or of users beyond MAX_USERS; in_vain: user → those of them since the newest one that counts,
    of IN_VAIN users at most."""

    counts: dict[Hashable, int] = field(default_factory=dict)
    sums: dict[Hashable, float] = field(default_factory=dict)
    ignored: int = 0
    in_vain: dict[Hashable, int] = field(default_factory=dict)

    def add(self, user: Hashable, difference: float) -> None:
        """Add a list's difference. Raises ValueError for one that is not in [-1, 1]."""
        if not -1 <= difference <= 1:
            raise ValueError(f"expected a difference from -1 to 1, got {difference}")
        count = self.counts.get(user, 0)
        if count >= LISTS_PER_USER or (not count and len(self.counts) >= MAX_USERS):
            self.ignored += 1
            if user in self.in_vain or len(self.in_vain) < IN_VAIN:
                self.in_vain[user] = self.in_vain.get(user, 0) + 1
            return
        self.in_vain.clear()
        self.counts[user] = count + 1
        self.sums[user] = self.sums.get(user, 0.0) + difference

    def rename(self, user: Hashable, other: Hashable) -> None:
        """Have what counts of a user count of `other`, of whom nothing does yet."""
        for known in (self.counts, self.sums, self.in_vain):
            if user in known:
                known[other] = known.pop(user)  # type: ignore[assignment]

    def copy(self) -> "PairedDifferences":
        return PairedDifferences(dict(self.counts), dict(self.sums), self.ignored, dict(self.in_vain))

    def is_exhausted(self, enough: int) -> bool:
        """Whether users seem to have said all that they can: `enough` lists in a row did not count, of each user no more than it
        takes half of those that count to bring them, so that one who goes on and on does not say it for all."""
        share = max(1, math.ceil(2 * enough / max(len(self.counts), 1)))
        return sum(min(lists, share) for lists in self.in_vain.values()) >= enough

    def arrays(self) -> tuple[DoubleArray, DoubleArray]:
        """([U] lists that count, [U] sums of differences)."""
        return np.array(list(self.counts.values()), float), np.array(list(self.sums.values()), float)


def _log_wealth(counts: DoubleArray, sums: DoubleArray, mean: float) -> DoubleArray:
    """[stakes] the logarithm of the wealth of each stake."""
    shares = (sums - mean * counts) / (LISTS_PER_USER * (1 + mean))
    return np.asarray(np.log1p(STAKES[:, None] * shares[None, :]).sum(axis=1), float)


def _log_e(counts: DoubleArray, sums: DoubleArray, mean: float) -> float:
    logs = _log_wealth(counts, sums, mean)
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))


def e_value(counts: DoubleArray, sums: DoubleArray, mean: float = 0.0) -> float:
    """The evidence, 1 without any, that differences are above `mean` (in (-1, 1)) on average; 20 refutes the opposite at 5 %.
    counts, sums: [U] as `PairedDifferences.arrays` has them.

    >>> round(e_value(np.ones(20), np.zeros(20)), 6), round(e_value(np.ones(60), np.ones(60)))
    (1.0, 34)
    """
    return math.exp(min(_log_e(counts, sums, mean), 700.0))


def confidence_sequence(counts: DoubleArray, sums: DoubleArray, alpha: float = ALPHA) -> tuple[float, float]:
    """(low, high) of the mean difference of a list: at all times at once, both hold with probability 1 - alpha."""
    return _lower(counts, sums, alpha / 2), -_lower(counts, -sums, alpha / 2)


def _lower(counts: DoubleArray, sums: DoubleArray, alpha: float) -> float:
    """The largest mean that is refuted as an upper limit; -1 where none is. An e-value falls as the mean rises."""
    low, high = -1.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _log_e(counts, sums, middle) >= -math.log(alpha) else (low, middle)
    return low


def lists_wanted(counts: DoubleArray, sums: DoubleArray, mean: float = 0.0, alpha: float = ALPHA) -> int | None:
    """How many more differences it takes until the e-value reaches 1 / alpha, if those to come are as those that came: 0 if it
    has; None where they speak against it, or there are none."""
    if _log_e(counts, sums, mean) >= -math.log(alpha):
        return 0
    best = float(_log_wealth(counts, sums, mean).max(initial=0.0))
    if best <= 0:
        return None
    missing = math.log(len(STAKES) / alpha) - best  # one stake of many carries it in the end
    return max(1, math.ceil(missing / best * float(counts.sum())))


@dataclass(frozen=True)
class Verdict:
    """What a comparison of two says so far.

    users, lists  that count
    difference    mean of a list, in [-1, 1]: above 0 where the first is better; low, high: its confidence sequence
    better, worse e-values that the first is the better, the worse one
    wanted        lists that count still wanted until it is decided, if they are as those so far; None: no end is in sight
    """

    users: int
    lists: int
    difference: float
    low: float
    high: float
    better: float
    worse: float
    wanted: int | None

    @property
    def decided(self) -> bool:
        """Whether one of the two is better: the confidence sequence leaves 0 out. Two equal ones are ever told apart with
        probability ALPHA at most."""
        return max(self.better, self.worse) >= 2 / ALPHA


def verdict_of(differences: PairedDifferences) -> Verdict:
    """The verdict on some differences."""
    counts, sums = differences.arrays()
    lists = int(counts.sum())
    low, high = confidence_sequence(counts, sums)
    better, worse = e_value(counts, sums), e_value(counts, -sums)
    leading = sums if better >= worse else -sums
    return Verdict(
        users=len(counts),
        lists=lists,
        difference=float(sums.sum()) / max(lists, 1),
        low=low,
        high=high,
        better=better,
        worse=worse,
        wanted=lists_wanted(counts, leading, alpha=ALPHA / 2),
    )
