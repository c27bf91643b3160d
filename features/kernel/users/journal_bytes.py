"""The journal of `features.fold.journal`, compiled: records of rows, and rows of records."""

from features.arrays import AnyArray
from features.fold.co_visits import PARTNERS
from features.kernel.msgpack_bytes import (
    BROKEN,
    get_array_header,
    get_int,
    put_array_header,
    put_bool,
    put_int,
    put_ints,
)
from features.kernel.row_index import NOT_FOUND
from features.kernel.users.hidden_items import drop_oldest, restore_item, shorten_item
from features.kernel.users.remembered_events import find_event, remember
from features.kernel.users.row_types import CHANGED, RECORD_BYTES, RECORDS, Row, Rules, User, Written
from features.recall.compiled import compiled
from features.types import FOREVER

MAX_RECORD_BYTES = 128
"""Of one record: ten numbers, a bool, two arrays."""
_EVENT_FIELDS = 8


@compiled
def put_event(data: AnyArray, at: int, event: Row) -> int:
    """The record of a remembered event."""
    at = put_array_header(data, at, _EVENT_FIELDS)
    at = put_int(data, at, event.key)
    at = put_int(data, at, event.ts)
    at = put_int(data, at, event.item_id)
    at = put_int(data, at, event.kind)
    at = put_int(data, at, event.centi)
    at = put_bool(data, at, event.undone)
    at = put_int(data, at, event.weight)
    return put_ints(data, at, event.partners, event.partner_count)


@compiled
def put_hidden(data: AnyArray, at: int, item_id: int, n: int, until: int) -> int:
    """The record of a hidden item."""
    at = put_array_header(data, at, 2 if until == FOREVER else 3)
    at = put_int(data, put_int(data, at, item_id), n)
    return at if until == FOREVER else put_int(data, at, until)


@compiled
def put_shown(data: AnyArray, at: int, item_id: int) -> int:
    """The record of an item that is hidden no longer."""
    return put_int(data, put_array_header(data, at, 1), item_id)


@compiled
def end_record(written: Written, at: int) -> None:
    """Note that a record ends there."""
    written.ends[written.sizes[RECORDS]] = at
    written.sizes[RECORDS] += 1
    written.sizes[RECORD_BYTES] = at


@compiled
def note_hidden(written: Written, item_id: int, until: int) -> None:
    """Note until when an item is hidden now; 0: not any more."""
    at = written.sizes[CHANGED]
    written.hidden[at, 0], written.hidden[at, 1] = item_id, until
    written.sizes[CHANGED] = at + 1


@compiled
def write_journal(rows: User, written: Written) -> int:
    """Write the shortest journal of a user; its bytes. How many records there are stands in the sizes."""
    user, at, records = rows.user[0], 0, 0
    for row in range(user.remembered_rows):
        if rows.events[row].counts:
            at = put_event(written.data, at, rows.events[row])
            written.ends[records] = at
            records += 1
    for row in range(user.hidden_first, user.hidden_rows):
        item = rows.items[row]
        if item.until:
            at = put_hidden(written.data, at, item.item_id, item.n, item.until)
            written.ends[records] = at
            records += 1
    written.sizes[RECORDS] = records
    return at


@compiled
def count_events(data: AnyArray, records: int) -> int:
    """How many of a journal's records are events; BROKEN where the bytes are no journal of so many records."""
    at, events = 0, 0
    for _ in range(records):
        fields, at = get_array_header(data, at, len(data))
        if fields == _EVENT_FIELDS:
            events += 1
            for _ in range(_EVENT_FIELDS - 1):
                _, at = get_int(data, at, len(data))
            fields, at = get_array_header(data, at, len(data))
            if fields > PARTNERS:
                return BROKEN
        elif not 1 <= fields <= 3:
            return BROKEN
        for _ in range(fields):
            _, at = get_int(data, at, len(data))
    return events if at == len(data) else BROKEN


@compiled
def read_journal(data: AnyArray, records: int, rows: User, rules: Rules) -> None:
    """Replay a journal that `count_events` has found whole, into rows with room for it."""
    at = 0
    for _ in range(records):
        fields, at = get_array_header(data, at, len(data))
        if fields == _EVENT_FIELDS:
            at = _read_event(data, at, rows, rules)
            continue
        item_id, at = get_int(data, at, len(data))
        n, until = 0, FOREVER
        if fields > 1:
            n, at = get_int(data, at, len(data))
        if fields == 3:
            until, at = get_int(data, at, len(data))
        if fields == 1:
            shorten_item(rows, item_id, 0)
        else:
            restore_item(rows, item_id, n, until)
            drop_oldest(rows, rules)


@compiled
def _read_event(data: AnyArray, at: int, rows: User, rules: Rules) -> int:
    end, row = len(data), rows.user[0].remembered_rows
    event = rows.events[row]
    event.key, at = get_int(data, at, end)
    event.ts, at = get_int(data, at, end)
    event.item_id, at = get_int(data, at, end)
    event.kind, at = get_int(data, at, end)
    event.centi, at = get_int(data, at, end)
    event.undone, at = get_int(data, at, end)
    event.weight, at = get_int(data, at, end)
    event.partner_count, at = get_array_header(data, at, end)
    for which in range(event.partner_count):
        event.partners[which], at = get_int(data, at, end)
    known = find_event(rows, event.key)
    if known == NOT_FOUND:
        remember(rows, rules, row)
    elif event.undone:
        rows.events[known].undone = 1
    return at
