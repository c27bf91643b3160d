"""What an event does to its user, compiled: `features.fold.user.fold_user`, step by step the same, over rows.

`features.kernel.users.event_batch` says which events are plain; of the others, it has undos and profiles.
"""

from features.arrays import AnyArray, IntArray
from features.kernel.row_index import NOT_FOUND
from features.kernel.users.features_bytes import put_features
from features.kernel.users.hidden_items import drop_oldest, hide_item
from features.kernel.users.journal_bytes import put_hidden, put_shown
from features.kernel.users.recent_acts import add_act, add_liked, find_partners, is_repeated, touch_session
from features.kernel.users.remembered_events import find_event, is_late
from features.kernel.users.row_types import (
    ALL_BYTES,
    APPLIED,
    DUPLICATE,
    EVENT_ROWS,
    ITEM_ROWS,
    LATE,
    RECORD_BYTES,
    SIZE,
    TOGETHER,
    Names,
    Row,
    Rules,
    User,
    Written,
)
from features.kernel.users.taste_rows import touch_tastes
from features.kernel.users.undone_events import apply_undo
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
from features.types import IMPRESSION, PROFILE, UNDO


@compiled
def fold_events(
    user: AnyArray,
    events: AnyArray,
    event_of: AnyArray,
    heap: AnyArray,
    items: AnyArray,
    item_of: AnyArray,
    batch: AnyArray,
    start: int,
    stop: int,
    tastes: IntArray,
    outcomes: AnyArray,
    kinds: AnyArray,
    steps: IntArray,
    limits: IntArray,
    texts: AnyArray,
    starts: IntArray,
    data: AnyArray,
    ends: IntArray,
    hidden: IntArray,
    sizes: IntArray,
) -> None:
    """Fold batch[start:stop], [B] EVENT, into their user, whose rows have room for them; outcomes, [B] OUTCOME, say what became
    of each. All other arguments are the fields of User, Rules, Names and Written: Numba takes arrays faster than tuples."""
    rows = User(user, events, event_of, heap, items, item_of)
    rules, names = Rules(kinds, steps, limits), Names(texts, starts)
    written = Written(data, ends, hidden, sizes)
    sizes[:] = 0
    for at in range(start, stop):
        event, outcome = batch[at], outcomes[at]
        outcome.verdict = _verdict(rows, rules, event)
        if outcome.verdict != APPLIED:
            continue
        if event.kind == PROFILE:
            remember_event(rows, rules, event, outcome, written)
        elif event.kind == UNDO:
            apply_undo(rows, rules, names, event, tastes[event.tastes_start : event.tastes_stop], outcome, written)
        else:
            _apply(rows, rules, names, event, tastes[event.tastes_start : event.tastes_stop], outcome, written)
    sizes[ALL_BYTES] = put_features(data, sizes[RECORD_BYTES], user[0], names)
    sizes[EVENT_ROWS], sizes[ITEM_ROWS] = user[0].remembered_rows, user[0].hidden_rows
    sizes[SIZE] = user[0].remembered + user[0].hidden


@compiled
def _verdict(rows: User, rules: Rules, event: Row) -> int:
    """What becomes of an event; one that is not applied is counted here."""
    if find_event(rows, event.key) != NOT_FOUND:
        rows.user[0].duplicates += 1
        return DUPLICATE
    if is_late(rows, rules, event.ts, event.key):
        rows.user[0].late += 1
        return LATE
    return APPLIED


@compiled
def _apply(
    rows: User,
    rules: Rules,
    names: Names,
    event: Row,
    tastes: IntArray,
    outcome: Row,
    written: Written,
) -> None:
    user, kind = rows.user[0], rules.kinds[event.kind]
    own_weight = weight_in(rules, kind, event.centi)
    weight = 0 if not kind.repeats and is_repeated(user, event) else own_weight
    outcome.item_id, outcome.ts, outcome.kind, outcome.centi = event.item_id, event.ts, event.kind, event.centi
    outcome.sign, outcome.weight, outcome.key, outcome.partner_count = 1, weight, event.key, 0
    if weight > 0:
        outcome.partner_count = find_partners(user, event, rules.limits[TOGETHER], outcome.partners)
    remember_event(rows, rules, event, outcome, written)
    count_kind(user, event, 1)
    note_time(user, event.ts)
    count_act(user, event, weight, 1)
    touch_session(user, event.ts, kind.click)
    gains = advance(user, event.ts)
    first, amount = taste_change(rules, kind, weight, own_weight)
    if amount:
        touch_tastes(user, names, tastes, event.ts, first, amount * gains, 1)
    if event.kind != IMPRESSION:
        touch_activity(user, gains, 1)
        add_act(user, event)
    if weight > 0:
        add_liked(user, event)
    if kind.hide:
        _hide(rows, rules, event, kind.hide, written)


@compiled
def _hide(rows: User, rules: Rules, event: Row, hide: int, written: Written) -> None:
    """Hide an event's item, and show the oldest hidden one again where they are too many; write both."""
    until = hide_item(rows, event.item_id, event.n, hidden_until(event.ts, hide))
    end_record(written, put_hidden(written.data, written.sizes[RECORD_BYTES], event.item_id, event.n, until))
    note_hidden(written, event.item_id, until)
    dropped = drop_oldest(rows, rules)
    if dropped != NOT_FOUND:
        item_id = rows.items[dropped].item_id
        end_record(written, put_shown(written.data, written.sizes[RECORD_BYTES], item_id))
        note_hidden(written, item_id, 0)
