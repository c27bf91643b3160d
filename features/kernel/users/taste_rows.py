"""A user's tastes, compiled: `_touch_tastes` of `features.fold.user` over rows, in the order in which tastes came."""

from features.arrays import IntArray
from features.fold.decay import HALF_LIVES
from features.fold.state import TASTES
from features.kernel.decayed_sums import added
from features.kernel.users.row_types import Names, Row
from features.recall.compiled import compiled


@compiled
def touch_tastes(user: Row, names: Names, numbers: IntArray, ts: int, first: int, gains: IntArray) -> None:
    """Add to the weights from `first` on of each taste of an item, by its number; of all these the newest are kept.

    Where there is no room for new ones they come last: once all others have their time, it says which goes.
    """
    waiting = 0
    for name in numbers:
        at = _find(user, name)
        if at < 0 and user.taste_count < TASTES:
            at = _append(user, name, ts)
        if at < 0:
            waiting += 1
        else:
            _add_to(user, at, ts, first, gains)
    if waiting:
        for name in numbers:
            if _find(user, name) < 0 and _make_room(user, names, name, ts):
                _add_to(user, _append(user, name, ts), ts, first, gains)


@compiled
def _add_to(user: Row, at: int, ts: int, first: int, gains: IntArray) -> None:
    taste = user.tastes[at]
    taste.ts = max(taste.ts, ts)
    for which in range(len(HALF_LIVES)):
        taste.weights[first + which] = added(taste.weights[first + which], gains[which])


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
