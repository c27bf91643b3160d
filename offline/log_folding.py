"""Users of a base and what the log says of them since, as Spark's workers fold them on."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from features.base import Base
from features.fold import UserState, fold_user, freeze_user, thaw_user, undone_item
from features.impressions import fold_list, list_memory
from features.memory import DedupeMemory
from features.served import ServedHead
from features.state import UserFeatures, decode_stored_user, encode_stored_user
from features.verdicts import APPLIED, DUPLICATE, LATE
from features.words import UNDO, Contribution, Event, Item, ItemId, Millis
from offline.folding import USERS, Batches, FoldedUsers, Worker
from offline.log import EVENT, LIST
from offline.runs import streams

KNOWN: Final = -1
"""As the topic of a row: it says nothing but that the base has this user."""
FATES: Final = (APPLIED, DUPLICATE, LATE)
LOG_USERS: Final = USERS.append(pa.field("fates", pa.list_(pa.int64())))
"""USERS, and how many of a user's events became which of FATES, and then of its lists."""


class _User:
    """One user as the log is folded into it."""

    def __init__(self, user_id: int, stored: bytes | None) -> None:
        self.user_id = user_id
        self.stored = stored
        if stored is None:
            self.state, lists = UserState(UserFeatures(user_id)), []
        else:
            self.state, lists = thaw_user(stored), decode_stored_user(stored).lists
        self.lists: DedupeMemory = list_memory(lists)
        self.fates = dict.fromkeys(((topic, fate) for topic in (EVENT, LIST) for fate in FATES), 0)

    def fold(self, event: Event, catalogue: dict[int, Item], n: int) -> Contribution | None:
        state = self.state
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        fate, contribution = fold_user(state, event, None if item_id is None else catalogue.get(item_id), n)
        state.memory.changes.clear()
        state.seen.changes.clear()
        self.fates[EVENT, fate] += 1
        return contribution

    def show(self, request_id: str, ts: Millis, item_ids: Iterable[ItemId]) -> list[Contribution]:
        fate, contributions = fold_list(self.lists, ServedHead(request_id, self.user_id, ts, tuple(item_ids)))
        self.fates[LIST, fate] += 1
        return contributions

    def freeze(self) -> bytes:
        """As stored; the very bytes that it was thawed from if the log said nothing."""
        if self.stored is not None and not any(self.fates.values()):
            return self.stored
        stored = decode_stored_user(freeze_user(self.state))
        stored.lists = [(key, entry.ts) for key, entry in self.lists.items()]
        return encode_stored_user(stored)


def log_users_worker(previous: Path, catalogue: Any, at: Millis) -> Worker:
    """Folds rows (user_id, topic, offset, kind, item_id, centi, ts, id, target, shown), sorted by the first three, into
    LOG_USERS, on from the base `previous`. `catalogue` is a broadcast dict of Items, affinities are told as of `at`."""

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        items: dict[int, Item] = catalogue.value
        base = Base(previous)
        out = FoldedUsers(items, at, LOG_USERS)
        for user_id, rows in streams(batches, "user_id"):
            user = _User(user_id, base.stored_user(user_id))
            for contribution in _fold(user, rows, items):
                yield from out.add(contribution)
            yield from out.finish(user_id, user.freeze(), user.state.features, list(user.fates.values()))
        yield from out.rest()

    return work


def _fold(user: _User, rows: Iterator[tuple[Any, ...]], items: dict[int, Item]) -> Iterator[Contribution]:
    """Fold a user's rows; what each adds."""
    for topic, offset, kind, item_id, centi, ts, name, target, shown in rows:
        if topic == EVENT:
            event = Event(name, kind, user.user_id, item_id, centi, target, ts)
            contribution = user.fold(event, items, offset + 1)
            if contribution is not None:
                yield contribution
        elif topic == LIST:
            yield from user.show(name, ts, shown)
