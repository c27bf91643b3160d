"""What events change of their user, compiled: what is counted and what decays, and what is written of it. A sign of −1 takes
back."""

import numpy as np

from features.arrays import IntArray
from features.fold.decay import HALF_LIVES
from features.kernel.decayed_sums import added, epoch_of, halved, weight_of
from features.kernel.users.journal_bytes import put_event
from features.kernel.users.remembered_events import remember
from features.kernel.users.row_types import (
    CHANGED,
    CLICKS,
    NEGATIVES,
    POSITIVES,
    RECORD_BYTES,
    RECORDS,
    UNIT,
    Row,
    Rules,
    User,
    Written,
)
from features.recall.compiled import compiled
from features.types import FOREVER, RATING


@compiled
def weight_in(rules: Rules, kind: Row, centi: int) -> int:
    """The weight of a kind and value: that of the last step that is not above the value."""
    weight = 0
    for step in range(kind.steps_start, kind.steps_stop):
        if kind.steps_stop - kind.steps_start > 1 and centi < rules.steps[step, 0]:
            break
        weight = rules.steps[step, 1]
    return weight


@compiled
def remember_event(rows: User, rules: Rules, event: Row, outcome: Row, written: Written) -> None:
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
def end_record(written: Written, at: int) -> None:
    written.ends[written.sizes[RECORDS]] = at
    written.sizes[RECORDS] += 1
    written.sizes[RECORD_BYTES] = at


@compiled
def note_time(user: Row, ts: int) -> None:
    user.last_ts = max(user.last_ts, ts)
    if user.first_ts == 0 or ts < user.first_ts:
        user.first_ts = ts


@compiled
def count_kind(user: Row, event: Row, sign: int) -> None:
    user.kinds_counted = max(user.kinds_counted, event.kind + 1)
    user.counts[event.kind] += sign


@compiled
def count_act(user: Row, event: Row, weight: int, sign: int) -> None:
    """Count an event by its value and weight."""
    if event.kind == RATING:
        user.rating_sum += sign * event.centi
        user.rating_sq += sign * event.centi * event.centi
    if weight > 0:
        user.positives += sign * weight
    else:
        user.negatives -= sign * weight


@compiled
def touch_activity(user: Row, gains: IntArray, sign: int) -> None:
    for which in range(len(HALF_LIVES)):
        user.activity[which] = added(user.activity[which], sign * gains[which])


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
def taste_change(rules: Rules, kind: Row, weight: int, own_weight: int) -> tuple[int, int]:
    """(where in a taste's weights, amount in units) of an event that counted with `weight`; an amount of 0: it teaches nothing. A
    click whose kind has no weight counts apart from what has, as one whole."""
    if weight > 0:
        return POSITIVES, weight
    if weight < 0:
        return NEGATIVES, -weight
    return CLICKS, rules.limits[UNIT] if kind.click and own_weight == 0 else 0


@compiled
def hidden_until(ts: int, hide: int) -> int:
    """`features.fold.user.hidden_until`."""
    if hide == FOREVER:
        return FOREVER
    return ts + hide if hide else 0


@compiled
def note_hidden(written: Written, item_id: int, until: int) -> None:
    at = written.sizes[CHANGED]
    written.hidden[at, 0], written.hidden[at, 1] = item_id, until
    written.sizes[CHANGED] = at + 1
