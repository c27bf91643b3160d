"""The items that are hidden from a user, compiled: `features.fold.dedupe.SeenItems` over rows, the one not touched for longest
first."""

from features.kernel.row_index import NOT_FOUND, put_row, remove_row, row_of
from features.kernel.users.row_types import MAX_HIDDEN, Rules, User
from features.recall.compiled import compiled


@compiled
def hide_item(rows: User, item_id: int, n: int, until: int) -> int:
    """Hide an item until then, or for longer if it is hidden for longer already; returns until when it is. The row of before does
    not count any more, the new one is the last."""
    user, items = rows.user[0], rows.items
    known = row_of(rows.item_of, items["item_id"], item_id)
    if known != NOT_FOUND:
        until = max(until, items[known].until)
        items[known].until = 0
        user.hidden -= 1
    row = user.hidden_rows
    items[row].item_id = item_id
    items[row].n = n
    items[row].until = until
    put_row(rows.item_of, items["item_id"], row)
    user.hidden_rows = row + 1
    user.hidden += 1
    return until


@compiled
def shorten_item(rows: User, item_id: int, until: int) -> int:
    """Hide an item until then and no longer; 0: not at all. Its row where that changes something, else NOT_FOUND."""
    known = row_of(rows.item_of, rows.items["item_id"], item_id)
    if known == NOT_FOUND or rows.items[known].until == until:
        return NOT_FOUND
    if until:
        rows.items[known].until = until
    else:
        _drop(rows, known)
    return known


@compiled
def restore_item(rows: User, item_id: int, n: int, until: int) -> None:
    """Take in what a journal says, as `features.fold.dedupe.SeenItems.restore`."""
    known = row_of(rows.item_of, rows.items["item_id"], item_id)
    if known != NOT_FOUND and rows.items[known].n == n:
        rows.items[known].until = until
        return
    shorten_item(rows, item_id, 0)
    hide_item(rows, item_id, n, until)


@compiled
def drop_oldest(rows: User, rules: Rules) -> int:
    """Where more are hidden than may be, show the one again that was not touched for longest: its row, or NOT_FOUND."""
    user = rows.user[0]
    if user.hidden <= rules.limits[MAX_HIDDEN]:
        return NOT_FOUND
    row = int(user.hidden_first)
    while rows.items[row].until == 0:
        row += 1
    _drop(rows, row)
    user.hidden_first = row + 1
    return row


@compiled
def _drop(rows: User, row: int) -> None:
    remove_row(rows.item_of, rows.items["item_id"], row)
    rows.items[row].until = 0
    rows.user[0].hidden -= 1


@compiled
def move_items(old: User, new: User) -> None:
    """As `features.kernel.users.remembered_events.move_events`."""
    user, count = old.user[0], 0
    for row in range(user.hidden_first, user.hidden_rows):
        if old.items[row].until:
            new.items[count] = old.items[row]
            put_row(new.item_of, new.items["item_id"], count)
            count += 1
    user.hidden_rows = count
    user.hidden_first = 0
