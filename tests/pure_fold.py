"""What base and log say, by the pure fold alone, record by record in this process: a second opinion, written without the
product's own reader of the log (`infra.verify.recompute`)."""

from collections import Counter

from features.base.reader import Base, Offsets
from features.clock import Clock
from features.contracts.admission import Marked, Misplaced, key_text
from features.contracts.items import item_of_record
from features.errors import BadEvent
from features.fold.co_visits import Pairs, slots_of
from features.fold.dedupe import DedupeMemory
from features.fold.impressions import fold_list, list_memory
from features.fold.item import fold_item
from features.fold.state import ItemFeatures, UserFeatures, decode_stored_user, encode_features, encode_stored_user
from features.fold.user import UserState, fold_user, freeze_user, thaw_user, undone_item
from features.keys import EVENTS, ITEMS, SERVED
from features.types import UNDO, Contribution, Item
from features.verdicts import MARKS, REJECTED, REROUTED
from offline.base.kafka_log import Record


class Reference:
    """The pure fold over base and log in this process."""

    def __init__(self, base: Base, clock: Clock) -> None:
        self._base, self._clock, self._schema = base, clock, base.schema
        self._users = {user_id: thaw_user(base.stored_user(user_id) or b"") for user_id in base.user_ids}
        self._lists: dict[int, DedupeMemory] = {user_id: list_memory(stored.lists) for user_id, stored in base.users()}
        self._items = {item_id: base.item_features(item_id) or ItemFeatures(item_id) for item_id in base.item_ids}
        self._pairs = dict(base.all_pairs())
        self.ledger = {EVENTS: Counter[str](), SERVED: Counter[str]()}
        self._versions = dict(base.catalogue_versions)
        self._changes: list[tuple[int, Item | None]] = []

    def feed(self, records: dict[tuple[str, int], list[Record]], start: Offsets, end: Offsets) -> None:
        self._changes = [
            (record.broker_ts, item_of_record(record.value, self._schema)) for record in records.get((ITEMS, 0), [])
        ]
        for (topic, partition), each in records.items():
            if topic == ITEMS:
                continue
            for record in each[start[topic][partition] : end[topic][partition]]:
                fate = (self._event if topic == EVENTS else self._list)(partition, record)
                self.ledger[topic].update((fate, "read"))

    def _event(self, partition: int, record: Record) -> str:
        now = self._clock.at(record.broker_ts)
        try:
            event = self._base.admission.admit(record.value, key_text(record.key), partition, record.broker_ts, now)
        except BadEvent:
            return REJECTED
        except Misplaced:
            return REROUTED
        except Marked as mark:
            there = [ts for ts, _ in self._changes if ts <= record.broker_ts]
            if mark.version > len(there):
                return REJECTED
            self._versions[partition] = max(mark.version, self._versions[partition])
            return MARKS
        state = self._users.setdefault(event.user_id, UserState(UserFeatures(event.user_id)))
        item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
        known = self._changes[: self._versions[partition]]
        changed = [each for _, each in known if each is not None and each.item_id == item_id]
        item = None if item_id is None else changed[-1] if changed else self._base.catalogue.get(item_id)
        verdict, contribution = fold_user(state, event, item, record.offset + 1, self._schema)
        if contribution is not None:
            self._add(contribution)
        return verdict

    def _list(self, partition: int, record: Record) -> str:
        now = self._clock.at(record.broker_ts)
        try:
            head = self._base.admission.admit_list(record.value, key_text(record.key), partition, record.broker_ts, now)
        except BadEvent:
            return REJECTED
        verdict, contributions = fold_list(self._lists.setdefault(head.user_id, list_memory([])), head)
        for contribution in contributions:
            self._add(contribution)
        return verdict

    def _add(self, contribution: Contribution) -> None:
        item_id = contribution.item_id
        fold_item(self._items.setdefault(item_id, ItemFeatures(item_id)), contribution, self._schema)
        for item_id, *slot in slots_of(contribution):
            self._pairs.setdefault(item_id, Pairs(item_id)).fold(*slot)

    def users(self) -> dict[int, bytes]:
        out = {}
        for user_id in self._users.keys() | self._lists.keys():
            state = self._users.get(user_id) or UserState(UserFeatures(user_id))
            stored = decode_stored_user(freeze_user(state))
            lists = self._lists.get(user_id, list_memory([]))
            stored.lists = [(key, entry.ts) for key, entry in lists.items()]
            out[user_id] = encode_stored_user(stored)
        return out

    def items(self) -> dict[int, bytes]:
        return {item_id: encode_features(features) for item_id, features in self._items.items()}

    def pairs(self) -> dict[int, bytes]:
        return {item_id: pairs.encode() for item_id, pairs in self._pairs.items()}
