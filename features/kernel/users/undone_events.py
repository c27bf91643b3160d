"""What an undo does to its user, compiled: `_undo` of `features.fold.user`."""

from features.arrays import IntArray
from features.kernel.row_index import NOT_FOUND
from features.kernel.users.hidden_items import shorten_item
from features.kernel.users.journal_bytes import put_event, put_hidden, put_shown
from features.kernel.users.recent_acts import remove_act, remove_liked
from features.kernel.users.remembered_events import find_event
from features.kernel.users.row_types import RECORD_BYTES, Names, Row, Rules, User, Written
from features.kernel.users.taste_rows import touch_tastes
from features.kernel.users.user_changes import (
    advance,
    count_act,
    count_kind,
    end_record,
    hidden_until,
    note_hidden,
    note_time,
    remember_event,
    taste_change,
    touch_activity,
    weight_in,
)
from features.recall.compiled import compiled
from features.types import IMPRESSION, NO_ID


@compiled
def apply_undo(
    rows: User,
    rules: Rules,
    names: Names,
    event: Row,
    tastes: IntArray,
    outcome: Row,
    written: Written,
) -> None:
    remember_event(rows, rules, event, outcome, written)
    note_time(rows.user[0], event.ts)
    count_kind(rows.user[0], event, 1)
    row = find_event(rows, event.target)
    if row != NOT_FOUND and not rows.events[row].undone and rows.events[row].item_id != NO_ID:
        _take_back(rows, rules, names, rows.events[row], tastes, outcome, written)


@compiled
def _take_back(
    rows: User,
    rules: Rules,
    names: Names,
    target: Row,
    tastes: IntArray,
    outcome: Row,
    written: Written,
) -> None:
    """Take back a remembered event. What it pushed out of a bounded list does not come back."""
    user, kind, weight = rows.user[0], rules.kinds[target.kind], target.weight
    target.undone = 1
    end_record(written, put_event(written.data, written.sizes[RECORD_BYTES], target))
    outcome.item_id, outcome.ts, outcome.kind, outcome.centi = target.item_id, target.ts, target.kind, target.centi
    outcome.sign, outcome.weight, outcome.key, outcome.partner_count = -1, weight, target.key, target.partner_count
    for which in range(target.partner_count):
        outcome.partners[which] = target.partners[which]
    count_kind(user, target, -1)
    count_act(user, target, weight, -1)
    gains = advance(user, target.ts)
    first, amount = taste_change(rules, kind, weight, weight_in(rules, kind, target.centi))
    if amount:
        touch_tastes(user, names, tastes, target.ts, first, amount * gains, -1)
    if target.kind != IMPRESSION:
        touch_activity(user, gains, -1)
    remove_act(user, target)
    if weight > 0:
        remove_liked(user, target)
    if kind.hide:
        _shorten(rows, rules, target.item_id, written)


@compiled
def _shorten(rows: User, rules: Rules, item_id: int, written: Written) -> None:
    """Hide an item for as long as the remembered events of it say that were not undone; write it where that is shorter."""
    until = 0
    for row in range(rows.user[0].remembered_rows):
        event = rows.events[row]
        if event.item_id == item_id and event.counts and not event.undone:
            until = max(until, hidden_until(event.ts, rules.kinds[event.kind].hide))
    row = shorten_item(rows, item_id, until)
    if row == NOT_FOUND:
        return
    data, at = written.data, written.sizes[RECORD_BYTES]
    end_record(
        written, put_hidden(data, at, item_id, rows.items[row].n, until) if until else put_shown(data, at, item_id)
    )
    note_hidden(written, item_id, until)
