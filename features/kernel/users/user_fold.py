"""What a plain event does to its user, compiled: `features.fold.user.fold_user`, step by step the same, over rows.

A plain event is one of an item: neither an undo, nor a profile, nor a wish to be forgotten
(`features.kernel.users.event_batch` says which events are left to the specification).
"""

import numpy as np

from features.arrays import AnyArray, IntArray
from features.fold.decay import HALF_LIVES
from features.kernel.decayed_sums import added, epoch_of, halved, weight_of
from features.kernel.row_index import NOT_FOUND
from features.kernel.users.features_bytes import put_features
from features.kernel.users.hidden_items import drop_oldest, hide_item
from features.kernel.users.journal_bytes import put_event, put_hidden, put_shown
from features.kernel.users.recent_acts import add_act, add_liked, find_partners, is_repeated, touch_session
from features.kernel.users.remembered_events import find_event, is_late, remember
from features.kernel.users.row_types import (
    ALL_BYTES,
    APPLIED,
    CHANGED,
    CLICKS,
    DUPLICATE,
    EVENT_ROWS,
    ITEM_ROWS,
    LATE,
    NEGATIVES,
    POSITIVES,
    RECORD_BYTES,
    RECORDS,
    SIZE,
    TOGETHER,
    UNIT,
    Names,
    Row,
    Rules,
    User,
    Written,
)
from features.kernel.users.taste_rows import touch_tastes
from features.recall.compiled import compiled
from features.types import FOREVER, IMPRESSION, RATING


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
        if outcome.verdict == APPLIED:
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
    user.last_ts = max(user.last_ts, event.ts)
    if user.first_ts == 0 or event.ts < user.first_ts:
        user.first_ts = event.ts
    _count(user, event, weight)
    touch_session(user, event.ts, kind.click)
    gains = _advance(user, event.ts)
    first, amount = _taste(rules, kind, weight, own_weight)
    if amount:
        touch_tastes(user, names, tastes, event.ts, first, amount * gains)
    if event.kind != IMPRESSION:
        for which in range(len(HALF_LIVES)):
            user.activity[which] = added(user.activity[which], gains[which])
        add_act(user, event)
    if weight > 0:
        add_liked(user, event)
    if kind.hide:
        _hide(rows, rules, event, kind.hide, written)


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
    _end_record(written, put_event(written.data, written.sizes[RECORD_BYTES], new))


@compiled
def _end_record(written: Written, at: int) -> None:
    written.ends[written.sizes[RECORDS]] = at
    written.sizes[RECORDS] += 1
    written.sizes[RECORD_BYTES] = at


@compiled
def _count(user: Row, event: Row, weight: int) -> None:
    """Count an event by its kind, value and weight."""
    user.kinds_counted = max(user.kinds_counted, event.kind + 1)
    user.counts[event.kind] += 1
    if event.kind == RATING:
        user.rating_sum += event.centi
        user.rating_sq += event.centi * event.centi
    if weight > 0:
        user.positives += weight
    else:
        user.negatives -= weight


@compiled
def _advance(user: Row, ts: int) -> IntArray:
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
def _taste(rules: Rules, kind: Row, weight: int, own_weight: int) -> tuple[int, int]:
    """(where in a taste's weights, amount in units) of an event that counted with `weight`; an amount of 0: it teaches nothing. A
    click whose kind has no weight counts apart from what has, as one whole."""
    if weight > 0:
        return POSITIVES, weight
    if weight < 0:
        return NEGATIVES, -weight
    return CLICKS, rules.limits[UNIT] if kind.click and own_weight == 0 else 0


@compiled
def _hide(rows: User, rules: Rules, event: Row, hide: int, written: Written) -> None:
    """Hide an event's item, and show the oldest hidden one again where they are too many; write both."""
    until = FOREVER if hide == FOREVER else event.ts + hide
    until = hide_item(rows, event.item_id, event.n, until)
    _end_record(written, put_hidden(written.data, written.sizes[RECORD_BYTES], event.item_id, event.n, until))
    _note_hidden(written, event.item_id, until)
    dropped = drop_oldest(rows, rules)
    if dropped != NOT_FOUND:
        item_id = rows.items[dropped].item_id
        _end_record(written, put_shown(written.data, written.sizes[RECORD_BYTES], item_id))
        _note_hidden(written, item_id, 0)


@compiled
def _note_hidden(written: Written, item_id: int, until: int) -> None:
    at = written.sizes[CHANGED]
    written.hidden[at, 0], written.hidden[at, 1] = item_id, until
    written.sizes[CHANGED] = at + 1
