"""The fold: how an event changes a user and an item.

One definition for Flink, Spark and `verify`. Deterministic and free of I/O: no clock, no random numbers, integers only.
A state passed in is consumed: use the one that the call leaves (it is changed in place, for speed).
"""

from typing import Any, Final, NamedTuple

from features.decay import HALF_LIVES, ONE, decay, fading
from features.events import id_hash
from features.memory import Applied, DedupeMemory, SeenItems
from features.state import (
    DAYS,
    RECENT,
    SEQUENCE,
    TASTES,
    ItemFeatures,
    StoredUser,
    UserFeatures,
    decode_stored_user,
    decode_user,
    encode_features,
    encode_stored_user,
)
from features.words import (
    CLICK,
    FORGET_USER,
    IMPRESSION,
    RATING,
    SEEN_KINDS,
    UNDO,
    VIEW,
    Contribution,
    Event,
    Item,
    Millis,
    is_negative,
    is_positive,
)

SESSION_GAP: Final = 30 * 60_000
DAY_MS: Final = 86_400_000

# What became of an event, in the words of the ledger.
APPLIED, DUPLICATE, LATE = "applied", "duplicate", "late"

# Places in a taste: its time, then three half-lives each of clicks, positives, negatives.
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


class Outcome(NamedTuple):
    """What became of an event, and what it adds to or takes from its item (None: nothing)."""

    verdict: str
    contribution: Contribution | None


def fold_user(state: UserState, event: Event, item: Item | None, n: int) -> Outcome:
    """Apply one event of the log to its user.

    `item` is the event's item in the catalogue (for an undo: the undone event's item), None if it is unknown there.
    `n` is the event's place in the log, plus one. The caller must keep the events of a user in the log's order.
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
    memory.add(key, Applied(event.ts, event.item_id, event.kind, event.centi, False))
    features.first_ts = event.ts if features.first_ts == 0 else min(features.first_ts, event.ts)
    features.last_ts = max(features.last_ts, event.ts)
    features.counts[event.kind] += 1
    if event.kind == UNDO:
        return Outcome(APPLIED, _undo(state, id_hash(event.target), item))
    _count(features, event.kind, event.centi, 1)
    _touch_session(features.session, event)
    if item is not None:
        _touch_tastes(features.tastes, item, event.kind, event.centi, event.ts, 1)
    if event.kind != IMPRESSION:
        features.recent.append((event.item_id, event.ts, event.kind, event.centi))
        del features.recent[:-RECENT]
    if is_positive(event.kind, event.centi):
        features.sequence.append((event.item_id, event.ts))
        del features.sequence[:-SEQUENCE]
    if event.kind in SEEN_KINDS:
        state.seen.add(event.item_id, n)
    return Outcome(APPLIED, Contribution(event.item_id, event.ts, event.kind, event.centi, 1))


def undone_item(state: UserState, event: Event) -> int | None:
    """The item of the event that an undo would take back, so that the caller can look it up; None if there is none."""
    target = state.memory.get(id_hash(event.target))
    return None if target is None or target.item_id < 0 else target.item_id


def _forget(state: UserState, event: Event) -> None:
    state.features = UserFeatures(state.features.user_id)
    state.memory.forget(event.ts)
    state.seen.clear()


def _undo(state: UserState, key: int, item: Item | None) -> Contribution | None:
    """Take back a remembered event. What it pushed out of a bounded list does not come back."""
    target = state.memory.get(key)
    if target is None or target.undone or target.item_id < 0:
        return None
    features = state.features
    state.memory.mark_undone(key)
    features.counts[target.kind] -= 1
    _count(features, target.kind, target.centi, -1)
    if item is not None:
        _touch_tastes(features.tastes, item, target.kind, target.centi, target.ts, -1)
    _remove_last(features.recent, (target.item_id, target.ts, target.kind, target.centi))
    if is_positive(target.kind, target.centi):
        _remove_last(features.sequence, (target.item_id, target.ts))
    if target.kind in SEEN_KINDS and not any(
        other.item_id == target.item_id and other.kind in SEEN_KINDS and not other.undone
        for _, other in state.memory.items()
    ):
        state.seen.discard(target.item_id)
    return Contribution(target.item_id, target.ts, target.kind, target.centi, -1)


def _remove_last(values: list[Any], value: object) -> None:
    for index in range(len(values) - 1, -1, -1):
        if values[index] == value:
            del values[index]
            return


def _count(features: UserFeatures | ItemFeatures, kind: int, centi: int, sign: int) -> None:
    if kind == RATING:
        features.rating_sum += sign * centi
        features.rating_sq += sign * centi * centi
    if is_positive(kind, centi):
        features.positives += sign
    elif is_negative(kind, centi):
        features.negatives += sign


def _touch_session(session: list[int], event: Event) -> None:
    start, newest, events, clicks = session
    click = 1 if event.kind in (CLICK, VIEW) else 0
    if events == 0 or event.ts > newest + SESSION_GAP:
        session[:] = (event.ts, event.ts, 1, click)
    elif event.ts >= start - SESSION_GAP:
        session[:] = (min(start, event.ts), max(newest, event.ts), events + 1, clicks + click)


def _touch_tastes(tastes: dict[str, list[int]], item: Item, kind: int, centi: int, ts: Millis, sign: int) -> None:
    if kind in (CLICK, VIEW):
        place = _CLICKS
    elif is_positive(kind, centi):
        place = _POSITIVES
    elif is_negative(kind, centi):
        place = _NEGATIVES
    else:
        return
    for name in taste_names(item):
        taste = tastes.get(name)
        if taste is None:
            if sign < 0:
                continue
            taste = tastes[name] = [ts, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        elif ts > taste[0]:
            elapsed = ts - taste[0]
            taste[0] = ts
            for at, half_life in enumerate(HALF_LIVES, start=1):
                factor, shift = fading(elapsed, half_life)
                taste[at] = taste[at] * factor >> shift
                taste[at + 3] = taste[at + 3] * factor >> shift
                taste[at + 6] = taste[at + 6] * factor >> shift
        age = taste[0] - ts
        for at, half_life in enumerate(HALF_LIVES, start=place):
            taste[at] = max(0, taste[at] + sign * decay(ONE, age, half_life))
    if len(tastes) > TASTES:
        for name in sorted(tastes, key=lambda name: (tastes[name][0], name))[: len(tastes) - TASTES]:
            del tastes[name]


def taste_names(item: Item) -> tuple[str, ...]:
    """What an item says about taste: its genres, and the decade of its release."""
    return (*item.genres, f"{item.year // 10 * 10}s") if item.year else item.genres


def fold_item(features: ItemFeatures, contribution: Contribution) -> ItemFeatures:
    """Add one contribution to its item. The result does not depend on the order of contributions."""
    _, ts, kind, centi, sign = contribution
    features.first_ts = ts if features.n == 0 else min(features.first_ts, ts)
    features.last_ts = max(features.last_ts, ts)
    features.n += 1
    features.counts[kind] += sign
    _count(features, kind, centi, sign)
    _touch_day(features.days, ts // DAY_MS, kind, is_positive(kind, centi), sign)
    return features


def _touch_day(days: list[tuple[int, int, int, int, int]], day: int, kind: int, positive: bool, sign: int) -> None:
    at = len(days)
    while at and days[at - 1][0] > day:
        at -= 1
    if at and days[at - 1][0] == day:
        at -= 1
    elif at == 0 and len(days) >= DAYS:
        return
    else:
        days.insert(at, (day, 0, 0, 0, 0))
    _, impressions, clicks, events, positives = days[at]
    days[at] = (
        day,
        impressions + sign * (kind == IMPRESSION),
        clicks + sign * (kind in (CLICK, VIEW)),
        events + sign * (kind != IMPRESSION),
        positives + sign * positive,
    )
    del days[:-DAYS]


def freeze_user(state: UserState) -> bytes:
    """A whole user as bytes, for a base."""
    return encode_stored_user(
        StoredUser(
            encode_features(state.features),
            state.memory.floor,
            [(key, *entry) for key, entry in state.memory.items()],
            list(state.seen.items()),
        )
    )


def thaw_user(data: bytes) -> UserState:
    """The user that `freeze_user` stored."""
    stored = decode_stored_user(data)
    return UserState(
        decode_user(stored.features),
        DedupeMemory(((entry[0], Applied(*entry[1:])) for entry in stored.memory), stored.floor),
        SeenItems(stored.seen),
    )
