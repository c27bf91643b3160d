"""What a user did last, compiled: the session, the latest acts and liked items, and the items liked close to an event."""

import numpy as np

from features.arrays import AnyArray
from features.fold.co_visits import PARTNERS
from features.fold.state import RECENT, SEQUENCE
from features.kernel.users.row_types import Row
from features.recall.compiled import compiled
from features.units import SESSION_GAP_MS


@compiled
def touch_session(user: Row, ts: int, click: int) -> None:
    """Let an event begin a session, or belong to the current one, or neither."""
    silence = ts - user.session_newest
    if user.session_events == 0 or silence > SESSION_GAP_MS:
        user.gap = silence if user.session_events else 0
        user.session_start = user.session_newest = ts
        user.session_events, user.session_clicks = 1, click
    elif user.session_start - ts <= SESSION_GAP_MS:
        user.session_start = min(user.session_start, ts)
        user.session_newest = max(user.session_newest, ts)
        user.session_events += 1
        user.session_clicks += click


@compiled
def is_repeated(user: Row, event: Row) -> bool:
    """Whether an act of this kind with this item is among the latest."""
    for at in range(user.recent_count):
        act = user.recent[at]
        if act.item_id == event.item_id and act.kind == event.kind:
            return True
    return False


@compiled
def add_act(user: Row, event: Row) -> None:
    """Make an event the latest act."""
    if user.recent_count == RECENT:
        _drop_act(user, 0)
    act = user.recent[user.recent_count]
    act.item_id, act.ts = event.item_id, event.ts
    act.kind, act.centi = event.kind, event.centi
    user.recent_count += 1


@compiled
def add_liked(user: Row, event: Row) -> None:
    """Make an event's item the latest liked one."""
    if user.sequence_count == SEQUENCE:
        _drop_liked(user, 0)
    liked = user.sequence[user.sequence_count]
    liked.item_id, liked.ts = event.item_id, event.ts
    user.sequence_count += 1


@compiled
def remove_act(user: Row, event: Row) -> None:
    """Remove the latest act that is this event's, if there is one."""
    for at in range(user.recent_count - 1, -1, -1):
        act = user.recent[at]
        if act.item_id == event.item_id and act.ts == event.ts and act.kind == event.kind and act.centi == event.centi:
            _drop_act(user, at)
            break


@compiled
def remove_liked(user: Row, event: Row) -> None:
    """Remove the latest liked item that is this event's, if there is one."""
    for at in range(user.sequence_count - 1, -1, -1):
        liked = user.sequence[at]
        if liked.item_id == event.item_id and liked.ts == event.ts:
            _drop_liked(user, at)
            break


@compiled
def _drop_act(user: Row, at: int) -> None:
    for each in range(at, user.recent_count - 1):
        user.recent[each] = user.recent[each + 1]
    user.recent_count -= 1


@compiled
def _drop_liked(user: Row, at: int) -> None:
    for each in range(at, user.sequence_count - 1):
        user.sequence[each] = user.sequence[each + 1]
    user.sequence_count -= 1


@compiled
def find_partners(user: Row, event: Row, together: int, partners: AnyArray) -> int:
    """Write the latest liked items, this event's own left out, that are at most `together` ms from it, newest first; how many."""
    count = 0
    for at in range(user.sequence_count - 1, -1, -1):
        liked = user.sequence[at]
        if liked.item_id == event.item_id or abs(event.ts - liked.ts) > together:
            continue
        if not _holds(partners, count, liked.item_id):
            partners[count] = liked.item_id
            count += 1
            if count == PARTNERS:
                break
    return count


@compiled
def _holds(values: AnyArray, count: int, value: int) -> bool:
    return bool(np.any(values[:count] == value))
