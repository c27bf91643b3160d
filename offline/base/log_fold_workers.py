"""Users of a base and their records in the log since, folded by Spark's workers."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from features.base.reader import Base
from features.contracts.served import ServedHead
from features.fold.catalogue import CatalogueVersions
from features.fold.dedupe import DedupeMemory
from features.fold.impressions import fold_list, list_memory
from features.fold.state import (
    StoredUser,
    UserFeatures,
    decode_stored_user,
    decode_user,
    encode_features,
    encode_stored_user,
)
from features.fold.user import UserState, fold_user, freeze_user, thaw_stored, undone_item
from features.schema.tables import Schema
from features.types import UNDO, Contribution, Event, ItemId, Millis
from features.verdicts import APPLIED, DUPLICATE, LATE
from offline.base.fold_workers import USERS, Batches, FoldedUsers, Worker
from offline.base.kafka_log import EVENT, LIST
from offline.spark.grouped_batches import streams

KNOWN: Final = -1
"""Topic of a row that has no record: the base has this user."""
FATES: Final = (APPLIED, DUPLICATE, LATE)
LOG_USERS: Final = USERS.append(pa.field("fates", pa.list_(pa.int64())))
"""USERS, and how many of a user's events became which of FATES, and then of its lists."""


class _User:
    """One user as the log is folded into it. Most users of a base have nothing new: their state is not decoded."""

    def __init__(self, user_id: int, stored: bytes | None) -> None:
        self.user_id = user_id
        self._bytes = stored
        self._stored = (
            StoredUser(encode_features(UserFeatures(user_id))) if stored is None else decode_stored_user(stored)
        )
        self._state: UserState | None = None
        self._lists: DedupeMemory | None = None
        self.fates = dict.fromkeys(((topic, fate) for topic in (EVENT, LIST) for fate in FATES), 0)

    def fold(
        self, event: Event, catalogue: CatalogueVersions, version: int, n: int, schema: Schema
    ) -> Contribution | None:
        state = self._state
        if state is None:
            state = self._state = thaw_stored(self._stored)
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        item = None if item_id is None else catalogue.item(item_id, version)
        fate, contribution = fold_user(state, event, item, n, schema)
        self.fates[EVENT, fate] += 1
        return contribution

    def show(self, request_id: str, ts: Millis, item_ids: Iterable[ItemId]) -> list[Contribution]:
        if self._lists is None:
            self._lists = list_memory(self._stored.lists)
        fate, contributions = fold_list(self._lists, ServedHead(request_id, self.user_id, ts, tuple(item_ids)))
        self.fates[LIST, fate] += 1
        return contributions

    def features(self) -> UserFeatures:
        return decode_user(self._stored.features) if self._state is None else self._state.features

    def freeze(self) -> bytes:
        """The user as stored; the very bytes of the base where the log has no records."""
        if self._bytes is not None and self._state is None and self._lists is None:
            return self._bytes
        stored = self._stored if self._state is None else decode_stored_user(freeze_user(self._state))
        stored.lists = (
            self._stored.lists if self._lists is None else [(key, each.ts) for key, each in self._lists.items()]
        )
        return encode_stored_user(stored)


def log_users_worker(previous: Path, catalogue: Any, at: Millis) -> Worker:
    """Folds rows (user_id, topic, offset, kind, item_id, centi, ts, id, target, catalogue, user, item, shown), sorted by the
    first three, into LOG_USERS, on from the base `previous`. `catalogue` is a broadcast of CatalogueVersions, affinities are as
    of `at`."""

    def work(batches: Iterable[pa.RecordBatch]) -> Batches:
        items: CatalogueVersions = catalogue.value
        base = Base(previous)
        out = FoldedUsers(at, base.schema, LOG_USERS)
        for user_id, rows in streams(batches, "user_id"):
            user = _User(user_id, base.stored_user(user_id))
            for contribution in _fold(user, rows, items, base.schema):
                yield from out.add(contribution)
            yield from out.finish(user_id, user.freeze(), user.features(), list(user.fates.values()))
        yield from out.rest()

    return work


def _fold(
    user: _User, rows: Iterator[tuple[Any, ...]], items: CatalogueVersions, schema: Schema
) -> Iterator[Contribution]:
    """Fold a user's rows; what each adds."""
    for topic, offset, kind, item_id, centi, ts, name, target, version, outer_user, outer_item, slate in rows:
        if topic == EVENT:
            event = Event(
                name, kind, user.user_id, item_id, centi, target, ts, user=outer_user or "", item=outer_item or ""
            )
            contribution = user.fold(event, items, version, offset + 1, schema)
            if contribution is not None:
                yield contribution
        elif topic == LIST:
            yield from user.show(name, ts, slate)
