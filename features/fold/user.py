"""The fold: how an event changes its user, and what it adds to items (`features.fold.item`) and pairs
(`features.fold.co_visits`).

One definition for Flink, Spark and `verify`. Deterministic and free of I/O: no clock, no random numbers, integers only.
A state passed in is consumed: use the one that the call leaves (it is changed in place, for speed).
"""

from typing import Any, NamedTuple

from features.contracts.events import id_hash
from features.fold.co_visits import PARTNERS
from features.fold.decay import HALF_LIVES, lifted
from features.fold.dedupe import Applied, Changes, DedupeMemory, SeenItems
from features.fold.journal import encode_records, replay_journal
from features.fold.state import (
    RECENT,
    SEQUENCE,
    TASTES,
    StoredUser,
    UserFeatures,
    count_event,
    decode_stored_user,
    decode_user,
    encode_features,
    encode_stored_user,
)
from features.schema.tables import Schema
from features.types import (
    FOREVER,
    FORGET_USER,
    IMPRESSION,
    NO_ID,
    PROFILE,
    RATING,
    UNDO,
    Contribution,
    Event,
    Item,
    Millis,
)
from features.units import ends_session
from features.verdicts import APPLIED, DUPLICATE, LATE

# Indices into a taste: its time, then three half-lives each of looks without a weight, positives, negatives.
_CLICKS, _POSITIVES, _NEGATIVES = 1, 4, 7


class UserState:
    """Everything that the fold keeps of one user: features, the events remembered, the items seen."""

    __slots__ = ("features", "memory", "seen")

    def __init__(
        self, features: UserFeatures, memory: DedupeMemory | None = None, seen: SeenItems | None = None
    ) -> None:
        self.features = features
        self.memory = DedupeMemory() if memory is None else memory
        self.seen = SeenItems() if seen is None else seen

    def collect_changes(self) -> None:
        """From now on folds collect what they change in memory and seen set, for a shell that stores changes alone. Without this
        call nothing is collected, and nothing needs to be drained."""
        self.memory.changes, self.seen.changes = [], []

    def drain_changes(self) -> Changes:
        """The changes of folds since the last call. Raises ValueError where nothing is collected."""
        memory, seen = self.memory.changes, self.seen.changes
        if memory is None or seen is None:
            raise ValueError("the changes of this user are not collected; call collect_changes first")
        self.memory.changes, self.seen.changes = [], []
        return Changes(memory, seen)


class Outcome(NamedTuple):
    """The verdict on an event, and what it adds to or takes from its item (None: nothing)."""

    verdict: str
    contribution: Contribution | None


def fold_user(state: UserState, event: Event, item: Item | None, n: int, schema: Schema) -> Outcome:
    """Apply one event of the log to its user.

    `item` is the event's item in the catalogue (for an undo: the undone event's item), None if it is unknown there.
    `n` is the event's offset in the log, plus one. The caller must keep the events of a user in the log's order.
    """
    features, memory = state.features, state.memory
    key = id_hash(event.event_id)
    if memory.get(key) is not None:
        features.duplicates += 1
        return Outcome(DUPLICATE, None)
    if memory.is_late(event.ts, key):
        features.late += 1
        return Outcome(LATE, None)
    if event.kind == FORGET_USER:
        _forget(state, event)
        return Outcome(APPLIED, None)
    if event.user:
        features.user_id = event.user
    if event.kind == PROFILE:
        memory.add(key, Applied(event.ts, NO_ID, PROFILE, 0, False))
        features.attributes = event.target
        return Outcome(APPLIED, None)
    kind, weight = schema.kind(event.kind), schema.weight(event.kind, event.centi)
    if not kind.repeats and any(act[0] == event.item_id and act[2] == event.kind for act in features.recent):
        weight = 0
    partners = _partners(features.sequence, event, schema.together) if weight > 0 else ()
    memory.add(key, Applied(event.ts, event.item_id, event.kind, event.centi, False, weight, partners))
    if event.ts > features.last_ts:
        features.last_ts = event.ts
    if features.first_ts == 0 or event.ts < features.first_ts:
        features.first_ts = event.ts
    count_event(features.counts, event.kind, 1)
    if event.kind == UNDO:
        return Outcome(APPLIED, _undo(state, id_hash(event.target), item, schema))
    _count(features, event.kind, event.centi, weight, 1)
    _touch_session(features, event, int(kind.click))
    gains = _advance(features, event.ts)
    if item is not None:
        _touch_tastes(features.tastes, item, event.ts, gains, _taste_of(event.kind, event.centi, weight, schema), 1)
    if event.kind != IMPRESSION:
        _touch_activity(features.activity, gains, 1)
        features.recent.append((event.item_id, event.ts, event.kind, event.centi))
        del features.recent[:-RECENT]
    if weight > 0:
        features.sequence.append((event.item_id, event.ts))
        del features.sequence[:-SEQUENCE]
    if kind.hide:
        state.seen.add(event.item_id, n, hidden_until(event.ts, kind.hide))
    added = Contribution(event.item_id, event.ts, event.kind, event.centi, 1, weight, key, partners, event.item)
    return Outcome(APPLIED, added)


def hidden_until(ts: Millis, hide: Millis) -> Millis:
    """The time until which an event at `ts` hides its item, for `hide` ms or FOREVER; 0 for one that hides nothing."""
    return FOREVER if hide == FOREVER else ts + hide if hide else 0


def undone_item(state: UserState, event: Event) -> int | None:
    """The item of the event that an undo would take back, so that the caller can look it up; None if there is none."""
    target = state.memory.get(id_hash(event.target))
    return None if target is None or target.item_id == NO_ID else target.item_id


def _forget(state: UserState, event: Event) -> None:
    """Forget all up to the larger of the event's time and the newest: nothing of it that comes again counts twice. The newest
    may be a profile, which is no act: the memory has it, not `last_ts`."""
    newest = max((entry.ts for _, entry in state.memory.items()), default=0)
    forgotten = state.features.counts[FORGET_USER]
    state.features = UserFeatures(event.user_id)
    state.features.counts[FORGET_USER] = forgotten + 1
    state.memory.forget(max(event.ts, newest))
    state.seen.clear()


def _undo(state: UserState, key: int, item: Item | None, schema: Schema) -> Contribution | None:
    """Take back a remembered event. What it pushed out of a bounded list does not come back."""
    target = state.memory.get(key)
    if target is None or target.undone or target.item_id == NO_ID:
        return None
    features = state.features
    state.memory.mark_undone(key)
    kind, weight = schema.kind(target.kind), target.weight
    count_event(features.counts, target.kind, -1)
    _count(features, target.kind, target.centi, weight, -1)
    gains = _advance(features, target.ts)  # it was applied, so no epoch is later
    if item is not None:
        taste = _taste_of(target.kind, target.centi, weight, schema)
        _touch_tastes(features.tastes, item, target.ts, gains, taste, -1)
    if target.kind != IMPRESSION:
        _touch_activity(features.activity, gains, -1)
    _remove_last(features.recent, (target.item_id, target.ts, target.kind, target.centi))
    if weight > 0:
        _remove_last(features.sequence, (target.item_id, target.ts))
    if kind.hide:
        others = (
            hidden_until(other.ts, schema.kind(other.kind).hide)
            for _, other in state.memory.items()
            if other.item_id == target.item_id and not other.undone
        )
        state.seen.shorten(target.item_id, max(others, default=0))
    return Contribution(target.item_id, target.ts, target.kind, target.centi, -1, weight, key, target.partners)


def _partners(sequence: list[tuple[int, int]], event: Event, window: Millis) -> tuple[int, ...]:
    """The user's latest positive items, this event's own left out, that are at most `window` ms from it in time; newest first."""
    found: list[int] = []
    for item_id, ts in reversed(sequence):
        if item_id != event.item_id and abs(event.ts - ts) <= window and item_id not in found:
            found.append(item_id)
            if len(found) == PARTNERS:
                break
    return tuple(found)


def _remove_last(values: list[Any], value: object) -> None:
    for index in range(len(values) - 1, -1, -1):
        if values[index] == value:
            del values[index]
            return


def _count(features: UserFeatures, kind: int, centi: int, weight: int, sign: int) -> None:
    if kind == RATING:
        features.rating_sum += sign * centi
        features.rating_sq += sign * centi * centi
    if weight > 0:
        features.positives += sign * weight
    else:
        features.negatives -= sign * weight


def _advance(features: UserFeatures, ts: Millis) -> list[int]:
    """Bring all decayed weights to the epochs of `ts`, where those are later; what an event at `ts` weighs as of the epochs,
    for each half-life."""
    epochs, gains = features.epochs, []
    for at, half_life in enumerate(HALF_LIVES):
        epoch, weight = lifted(ts, half_life)
        behind = epoch - epochs[at]
        if behind > 0:
            epochs[at] = epoch
            features.activity[at] >>= behind
            for taste in features.tastes.values():
                taste[at + _CLICKS] >>= behind
                taste[at + _POSITIVES] >>= behind
                taste[at + _NEGATIVES] >>= behind
        elif behind < 0:
            weight >>= -behind
        gains.append(weight)
    return gains


def _touch_activity(activity: list[int], gains: list[int], sign: int) -> None:
    for at, gain in enumerate(gains):
        weight = activity[at] + sign * gain
        activity[at] = weight if weight > 0 else 0


def _touch_session(features: UserFeatures, event: Event, click: int) -> None:
    session = features.session
    start, newest, events, clicks = session
    if events == 0 or ends_session(event.ts - newest):
        features.gap = event.ts - newest if events else 0
        session[:] = (event.ts, event.ts, 1, click)
    elif not ends_session(start - event.ts):
        session[:] = (min(start, event.ts), max(newest, event.ts), events + 1, clicks + click)


def _taste_of(kind: int, centi: int, weight: int, schema: Schema) -> tuple[int, int]:
    """(first index in a taste, amount in units) of an event that counted with `weight`; an amount of 0: it says nothing. A click
    whose kind has no weight counts apart from what has, as one whole."""
    if weight:
        return (_POSITIVES if weight > 0 else _NEGATIVES), abs(weight)
    is_click = schema.kind(kind).click and not schema.weight(kind, centi)
    return _CLICKS, schema.unit if is_click else 0


def _touch_tastes(
    tastes: dict[str, list[int]], item: Item, ts: Millis, gains: list[int], amount: tuple[int, int], sign: int
) -> None:
    first, times = amount
    if not times:
        return
    for name in item.tastes:
        taste = tastes.get(name)
        if taste is None:
            if sign < 0:
                continue
            taste = tastes[name] = [ts, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        elif ts > taste[0]:
            taste[0] = ts
        for at, gain in enumerate(gains, start=first):
            weight = taste[at] + sign * times * gain
            taste[at] = weight if weight > 0 else 0
    if len(tastes) > TASTES:
        for name in sorted(tastes, key=lambda name: (tastes[name][0], name))[: len(tastes) - TASTES]:
            del tastes[name]


def is_decade(name: str) -> bool:
    """Whether the name of a taste is that of a decade, of a museum's works too. One of two digits is a label, as music has them.

    >>> is_decade("1990s"), is_decade("850s"), is_decade("90s"), is_decade("Drama")
    (True, True, False, False)
    """
    return len(name) > 3 and name.endswith("0s") and name[:-1].isdecimal()


def freeze_user(state: UserState) -> bytes:
    """A whole user as bytes, for a base."""
    return encode_stored_user(store_user(state))


def store_user(state: UserState) -> StoredUser:
    """Like `freeze_user`, not encoded."""
    records = encode_records(state.memory, state.seen)
    return StoredUser(encode_features(state.features), state.memory.floor, len(records.ends), records.data)


def thaw_user(data: bytes) -> UserState:
    """The user that `freeze_user` stored. Raises Broken where its journal is none."""
    return thaw_stored(decode_stored_user(data))


def thaw_stored(stored: StoredUser) -> UserState:
    """Like `thaw_user`, from a decoded StoredUser."""
    memory, seen = replay_journal([(stored.records, stored.journal)], stored.floor)
    return UserState(decode_user(stored.features), memory, seen)
