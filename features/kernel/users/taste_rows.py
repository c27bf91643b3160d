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
    """Add to the weights from `first` on of each taste of an item, by its number; of all these the newest are kept. With a sign
    of −1 take off, where there is such a taste.

    Where there is no room for new ones they come last: once all others have their time, it says which goes.
    """
    waiting, change = 0, sign * gains
    for name in numbers:
        at = _find(user, name)
        if at < 0 and sign > 0 and user.taste_count < TASTES:
            at = _append(user, name, ts)
        if at < 0:
            waiting += 1
        else:
            _add_to(user, at, ts, first, change)
    if waiting and sign > 0:
        for name in numbers:
            if _find(user, name) < 0 and _make_room(user, names, name, ts):
                _add_to(user, _append(user, name, ts), ts, first, change)


@compiled
def _add_to(user: Row, at: int, ts: int, first: int, change: IntArray) -> None:
    taste = user.tastes[at]
    taste.ts = max(taste.ts, ts)
    for which in range(len(HALF_LIVES)):
        taste.weights[first + which] = added(taste.weights[first + which], change[which])


@compiled
def _find(user: Row, name: int) -> int:
    for at in range(user.taste_count):
        if user.tastes[at].name == name:
            return at
    return -1


@compiled
def _append(user: Row, name: int, ts: int) -> int:
    at = int(user.taste_count)
    user.taste_count = at + 1
    taste = user.tastes[at]
    taste.name = name
    taste.ts = ts
    taste.weights[:] = 0
    return at


@compiled
def _make_room(user: Row, names: Names, name: int, ts: int) -> bool:
    """Drop the oldest taste for a new one of that time; False where the new one is older than all."""
    oldest = _oldest(user, names)
    taste = user.tastes[oldest]
    if taste.ts > ts or (taste.ts == ts and _is_before(names, name, taste.name)):
        return False
    _remove(user, oldest)
    return True


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
