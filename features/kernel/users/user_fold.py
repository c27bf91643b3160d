"""What an event does to its user, compiled: `features.fold.user.fold_user`, step by step the same, over rows.

`features.kernel.users.event_batch` says which events are plain; of the others, it has undos and profiles.
"""

from features.arrays import AnyArray, IntArray
from features.fold.decay import HALF_LIVES
from features.kernel.decayed_sums import added
from features.kernel.row_index import NOT_FOUND
from features.kernel.users.features_bytes import put_features
from features.kernel.users.hidden_items import drop_oldest, hide_item, shorten_item
from features.kernel.users.journal_bytes import end_record, note_hidden, put_event, put_hidden, put_shown
from features.kernel.users.recent_acts import (
    add_act,
    add_liked,
    find_partners,
    is_repeated,
    remove_act,
    remove_liked,
    touch_session,
)
from features.kernel.users.remembered_events import find_event, is_late, remember
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
from features.kernel.users.taste_rows import advance, taste_change, touch_tastes
from features.recall.compiled import compiled
from features.types import FOREVER, IMPRESSION, NO_ID, PROFILE, RATING, UNDO


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
            _remember(rows, rules, event, outcome, written)
        elif event.kind == UNDO:
            _apply_undo(rows, rules, names, event, tastes[event.tastes_start : event.tastes_stop], outcome, written)
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
    own_weight = _weight(rules, kind, event.centi)
    weight = 0 if not kind.repeats and is_repeated(user, event) else own_weight
    outcome.item_id, outcome.ts, outcome.kind, outcome.centi = event.item_id, event.ts, event.kind, event.centi
    outcome.sign, outcome.weight, outcome.key, outcome.partner_count = 1, weight, event.key, 0
    if weight > 0:
        outcome.partner_count = find_partners(user, event, rules.limits[TOGETHER], outcome.partners)
    _remember(rows, rules, event, outcome, written)
    _count_kind(user, event, 1)
    _note_time(user, event.ts)
    _count(user, event, weight, 1)
    touch_session(user, event.ts, kind.click)
    gains = advance(user, event.ts)
    first, amount = taste_change(rules, kind, weight, own_weight)
    if amount:
        touch_tastes(user, names, tastes, event.ts, first, amount * gains, 1)
    if event.kind != IMPRESSION:
        _touch_activity(user, gains, 1)
        add_act(user, event)
    if weight > 0:
        add_liked(user, event)
    if kind.hide:
        _hide(rows, rules, event, kind.hide, written)


@compiled
def _apply_undo(
    rows: User,
    rules: Rules,
    names: Names,
    event: Row,
    tastes: IntArray,
    outcome: Row,
    written: Written,
) -> None:
    _remember(rows, rules, event, outcome, written)
    _note_time(rows.user[0], event.ts)
    _count_kind(rows.user[0], event, 1)
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
    _count_kind(user, target, -1)
    _count(user, target, weight, -1)
    gains = advance(user, target.ts)
    first, amount = taste_change(rules, kind, weight, _weight(rules, kind, target.centi))
    if amount:
        touch_tastes(user, names, tastes, target.ts, first, amount * gains, -1)
    if target.kind != IMPRESSION:
        _touch_activity(user, gains, -1)
    remove_act(user, target)
    if weight > 0:
        remove_liked(user, target)
    if kind.hide:
        _shorten(rows, rules, target.item_id, written)


@compiled
def _weight(rules: Rules, kind: Row, centi: int) -> int:
    """The weight of a kind and value: that of the last step that is not above the value."""
    weight = 0
    for step in range(kind.steps_start, kind.steps_stop):
        if kind.steps_stop - kind.steps_start > 1 and centi < rules.steps[step, 0]:
            break
        weight = rules.steps[step, 1]
    return weight


@compiled
def _remember(rows: User, rules: Rules, event: Row, outcome: Row, written: Written) -> None:
    """Remember an event, and write it into the journal."""
    row = rows.user[0].remembered_rows
    new = rows.events[row]
    new.key, new.ts, new.item_id = event.key, event.ts, event.item_id
    new.kind, new.centi, new.weight, new.undone = event.kind, event.centi, outcome.weight, 0
    new.partner_count = outcome.partner_count
    for which in range(outcome.partner_count):
        new.partners[which] = outcome.partners[which]
    remember(rows, rules, row)
    end_record(written, put_event(written.data, written.sizes[RECORD_BYTES], new))


@compiled
def _note_time(user: Row, ts: int) -> None:
    user.last_ts = max(user.last_ts, ts)
    if user.first_ts == 0 or ts < user.first_ts:
        user.first_ts = ts


@compiled
def _count_kind(user: Row, event: Row, sign: int) -> None:
    user.kinds_counted = max(user.kinds_counted, event.kind + 1)
    user.counts[event.kind] += sign


@compiled
def _count(user: Row, event: Row, weight: int, sign: int) -> None:
    """Count an event by its value and weight."""
    if event.kind == RATING:
        user.rating_sum += sign * event.centi
        user.rating_sq += sign * event.centi * event.centi
    if weight > 0:
        user.positives += sign * weight
    else:
        user.negatives -= sign * weight


@compiled
def _touch_activity(user: Row, gains: IntArray, sign: int) -> None:
    for which in range(len(HALF_LIVES)):
        user.activity[which] = added(user.activity[which], sign * gains[which])


@compiled
def _hide(rows: User, rules: Rules, event: Row, hide: int, written: Written) -> None:
    """Hide an event's item, and show the oldest hidden one again where they are too many; write both."""
    until = hide_item(rows, event.item_id, event.n, _hidden_until(event.ts, hide))
    end_record(written, put_hidden(written.data, written.sizes[RECORD_BYTES], event.item_id, event.n, until))
    note_hidden(written, event.item_id, until)
    dropped = drop_oldest(rows, rules)
    if dropped != NOT_FOUND:
        item_id = rows.items[dropped].item_id
        end_record(written, put_shown(written.data, written.sizes[RECORD_BYTES], item_id))
        note_hidden(written, item_id, 0)


@compiled
def _hidden_until(ts: int, hide: int) -> int:
    """`features.fold.user.hidden_until`."""
    if hide == FOREVER:
        return FOREVER
    return ts + hide if hide else 0


@compiled
def _shorten(rows: User, rules: Rules, item_id: int, written: Written) -> None:
    """Hide an item for as long as the remembered events of it say that were not undone; write it where that is shorter."""
    until = 0
    for row in range(rows.user[0].remembered_rows):
        event = rows.events[row]
        if event.item_id == item_id and event.counts and not event.undone:
            until = max(until, _hidden_until(event.ts, rules.kinds[event.kind].hide))
    row = shorten_item(rows, item_id, until)
    if row == NOT_FOUND:
        return
    data, at = written.data, written.sizes[RECORD_BYTES]
    end_record(
        written, put_hidden(data, at, item_id, rows.items[row].n, until) if until else put_shown(data, at, item_id)
    )
    note_hidden(written, item_id, until)
