"""The events that a user remembers, compiled: `features.fold.dedupe.DedupeMemory` over rows.

Rows stand in the order in which events came. Once as many are remembered as may be, a heap gives the oldest, which goes when
another comes. A row that goes is marked; its room is won back when the rows are moved together.
"""

from features.arrays import AnyArray
from features.kernel.row_index import NOT_FOUND, put_row, remove_row, row_of
from features.kernel.users.row_types import MAX_REMEMBERED, Row, Rules, User
from features.recall.compiled import compiled
from features.types import NO_ID


@compiled
def find_event(rows: User, key: int) -> int:
    """The row of a remembered event, or NOT_FOUND."""
    return row_of(rows.event_of, rows.events["key"], key)


@compiled
def remembered_item(events: AnyArray, event_of: AnyArray, key: int) -> int:
    """The item of a remembered event, or NO_ID. The arrays are those of User."""
    row = row_of(event_of, events["key"], key)
    return NO_ID if row == NOT_FOUND else int(events[row].item_id)


@compiled
def is_late(rows: User, rules: Rules, ts: int, key: int) -> bool:
    """Whether an unknown event is too old to be distinguished from one that was applied and forgotten."""
    user = rows.user[0]
    if ts <= user.floor:
        return True
    if user.remembered < rules.limits[MAX_REMEMBERED]:
        return False
    _order(rows)
    return _is_older(ts, key, rows.events[rows.heap[0]])


@compiled
def _is_older(ts: int, key: int, event: Row) -> bool:
    return bool(ts < event.ts or (ts == event.ts and key < event.key))


@compiled
def remember(rows: User, rules: Rules, row: int) -> bool:
    """Take the event that was written into the first unused row, if no more are remembered than may be or it is not the oldest,
    which is dropped else. Whether it was taken."""
    user, event = rows.user[0], rows.events[row]
    is_full = user.remembered >= rules.limits[MAX_REMEMBERED]
    if is_full:
        _order(rows)
        oldest = rows.heap[0]
        if _is_older(event.ts, event.key, rows.events[oldest]):
            return False
        remove_row(rows.event_of, rows.events["key"], oldest)
        rows.events[oldest].counts = 0
    event.counts = 1
    user.remembered_rows = row + 1
    put_row(rows.event_of, rows.events["key"], row)
    if is_full:
        rows.heap[0] = row
        _sift_down(rows, 0, user.remembered)
    else:
        user.remembered += 1
        user.is_heap = 0
    return True


@compiled
def _order(rows: User) -> None:
    """Make the heap of all rows that count, unless it is there."""
    user = rows.user[0]
    if user.is_heap:
        return
    count = 0
    for row in range(user.remembered_rows):
        if rows.events[row].counts:
            rows.heap[count] = row
            count += 1
    for at in range(count // 2 - 1, -1, -1):
        _sift_down(rows, at, count)
    user.is_heap = 1


@compiled
def _sift_down(rows: User, at: int, count: int) -> None:
    """Let a row sink to where none below it is older."""
    heap, events = rows.heap, rows.events
    row = heap[at]
    ts, key = events[row].ts, events[row].key
    while True:
        child = 2 * at + 1
        if child >= count:
            break
        if child + 1 < count and _is_older(
            events[heap[child + 1]].ts, events[heap[child + 1]].key, events[heap[child]]
        ):
            child += 1
        if _is_older(ts, key, events[heap[child]]):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = row


@compiled
def move_events(old: User, new: User) -> None:
    """Copy the rows that count to the start of a new array, and fill its index. Of `new` the arrays of events alone are used;
    both share the USER."""
    user, count = old.user[0], 0
    for row in range(user.remembered_rows):
        if old.events[row].counts:
            new.events[count] = old.events[row]
            put_row(new.event_of, new.events["key"], count)
            count += 1
    user.remembered_rows = count
    user.is_heap = 0
