"""A user's tastes, compiled: `_taste_of`, `_advance` and `_touch_tastes` of `features.fold.user` over rows, in the order in which
tastes came."""

import numpy as np

from features.arrays import IntArray
from features.fold.decay import HALF_LIVES
from features.fold.state import TASTES
from features.kernel.decayed_sums import added, epoch_of, halved, weight_of
from features.kernel.users.row_types import CLICKS, NEGATIVES, POSITIVES, UNIT, Names, Row, Rules
from features.recall.compiled import compiled


@compiled
def taste_change(rules: Rules, kind: Row, weight: int, own_weight: int) -> tuple[int, int]:
    """(where in a taste's weights, amount in units) of an event that counted with `weight`; an amount of 0: it teaches nothing. A
    click whose kind has no weight counts apart from what has, as one whole."""
    if weight > 0:
        return POSITIVES, weight
    if weight < 0:
        return NEGATIVES, -weight
    return CLICKS, rules.limits[UNIT] if kind.click and own_weight == 0 else 0


@compiled
def advance(user: Row, ts: int) -> IntArray:
    """Bring all decayed weights to the epochs of `ts`, where those are later; what an event then weighs, for each half-life."""
    gains = np.empty(len(HALF_LIVES), np.int64)
    for which in range(len(HALF_LIVES)):
        behind = epoch_of(ts, which) - user.epochs[which]
        gains[which] = halved(weight_of(ts, which), max(0, -behind))
        if behind > 0:
            user.epochs[which] += behind
            _halve(user, which, behind)
    return gains


@compiled
def _halve(user: Row, which: int, times: int) -> None:
    user.activity[which] = halved(user.activity[which], times)
    for at in range(user.taste_count):
        weights = user.tastes[at].weights
        for first in (CLICKS, POSITIVES, NEGATIVES):
            weights[first + which] = halved(weights[first + which], times)


@compiled
def touch_tastes(user: Row, names: Names, numbers: IntArray, ts: int, first: int, gains: IntArray, sign: int) -> None:
    """Add to the weights from `first` on of each taste of an item, by its number, or take off (sign −1) where there is such a
    taste; then drop what is beyond the most."""
    for name in numbers:
        at = _find(user, name)
        if at == user.taste_count:
            if sign < 0:
                continue
            _add(user, name, ts)
        taste = user.tastes[at]
        taste.ts = max(taste.ts, ts)
        for which in range(len(HALF_LIVES)):
            taste.weights[first + which] = added(taste.weights[first + which], sign * gains[which])
    while user.taste_count > TASTES:
        _remove(user, _oldest(user, names))


@compiled
def _find(user: Row, name: int) -> int:
    """Where a taste is; where it would be added, if it is not there."""
    for at in range(user.taste_count):
        if user.tastes[at].name == name:
            return at
    return int(user.taste_count)


@compiled
def _add(user: Row, name: int, ts: int) -> None:
    taste = user.tastes[user.taste_count]
    taste.name = name
    taste.ts = ts
    taste.weights[:] = 0
    user.taste_count += 1


@compiled
def _oldest(user: Row, names: Names) -> int:
    """The taste that was not touched for longest; of equal times the first by name."""
    oldest = 0
    for at in range(1, user.taste_count):
        one, other = user.tastes[at], user.tastes[oldest]
        if one.ts < other.ts or (one.ts == other.ts and _is_before(names, one.name, other.name)):
            oldest = at
    return oldest


@compiled
def _is_before(names: Names, one: int, other: int) -> bool:
    """Whether a name comes before another. UTF-8 sorts by its bytes as text does by its characters."""
    at, end = names.starts[one], names.starts[one + 1]
    against, last = names.starts[other], names.starts[other + 1]
    while at < end and against < last:
        if names.texts[at] != names.texts[against]:
            return bool(names.texts[at] < names.texts[against])
        at += 1
        against += 1
    return bool(at == end and against < last)


@compiled
def _remove(user: Row, at: int) -> None:
    for each in range(at, user.taste_count - 1):
        user.tastes[each] = user.tastes[each + 1]
    user.taste_count -= 1
