"""The two operators of the job: thin shells that keep the fold's state in Flink and its results in Redis.

Both are written the same way. Flink's keyed state is the truth; a decoded copy of recently used keys stays in Python (only
this operator writes them, so the copy can't be stale). Each key touched has a timer in Flink's state, at most one a second,
set anew until the key's last write is through. After a crash the timers of the restored checkpoint fire at once and
write the state again, so a write that was only buffered when the crash came is not lost. Repeating is harmless: writes are
absolute and fenced.
"""

import struct
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, OutputTag, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from features.admission import Misplaced, admit, user_of_key
from features.base import Base
from features.errors import BadEvent
from features.fold import APPLIED, DUPLICATE, LATE, UserState, fold_item, fold_user, thaw_user, undone_item
from features.memory import Applied, DedupeMemory, SeenItems
from features.state import ItemFeatures, UserFeatures, decode_item, decode_user, encode_features
from features.words import UNDO, Contribution, Event
from streaming.record import Record, unpack
from streaming.settings import JobSettings
from streaming.writer import FeatureWriter, ItemWrite, UserWrite

SETTLE_MS = 1000
CACHED_ENTRIES = 1_000_000
"""Bound of the decoded copies: one for each user, plus one for each event remembered and item seen."""

REJECTED_TYPE = Types.ROW_NAMED(
    ["k", "v", "topic", "part", "off", "reason"],
    [Types.STRING(), Types.STRING(), Types.STRING(), Types.STRING(), Types.STRING(), Types.STRING()],
)
REROUTED_TYPE = Types.ROW_NAMED(["k", "v"], [Types.STRING(), Types.STRING()])
REJECTED = OutputTag("rejected", REJECTED_TYPE)
REROUTED = OutputTag("rerouted", REROUTED_TYPE)

# Plain bytes objects only: pickle is their envelope (thread mode hands primitive arrays over element by element).
_BYTES = Types.PICKLED_BYTE_ARRAY()
_HEAD = struct.Struct("<qqq")  # floor, n, broker ms; the features follow
_ENTRY = struct.Struct("<qqBI?")  # ts, item, kind, rating in hundredths, undone


class _User:
    """The decoded copy of a user, and what Flink and Redis must be told of it."""

    __slots__ = ("broker_ts", "has_timer", "n", "state", "weight")

    def __init__(self, state: UserState, n: int, broker_ts: int) -> None:
        self.state = state
        self.n = n
        self.broker_ts = broker_ts
        self.has_timer = False
        self.weight = 0


class _Cache:
    """Decoded users by key, the least recently used dropped beyond a bound on their entries."""

    def __init__(self) -> None:
        self._users: OrderedDict[str, _User] = OrderedDict()
        self._weight = 0

    def get(self, key: str) -> _User | None:
        user = self._users.get(key)
        if user is not None:
            self._users.move_to_end(key)
        return user

    def put(self, key: str, user: _User) -> None:
        """Add a user, or weigh one anew."""
        weight = 1 + len(user.state.memory) + len(user.state.seen)
        self._weight += weight - user.weight
        user.weight = weight
        self._users[key] = user
        while self._weight > CACHED_ENTRIES and len(self._users) > 1:
            self._weight -= self._users.popitem(last=False)[1].weight


class UserFold(KeyedProcessFunction):
    """Log records of one user, in order → features in Redis, contributions to items, rejects, re-routed records."""

    def __init__(self, settings: JobSettings) -> None:
        self._settings = settings

    def open(self, context: RuntimeContext) -> None:
        sys.setswitchinterval(0.0002)  # the writer's thread must get its turn within a write's time, not 5 ms
        self._value = context.get_state(ValueStateDescriptor("features-v1", _BYTES))
        self._memory = context.get_map_state(MapStateDescriptor("remembered-v1", Types.LONG(), _BYTES))
        self._seen = context.get_map_state(MapStateDescriptor("seen-v1", Types.LONG(), Types.LONG()))
        self._base = Base(Path(self._settings.base))
        self._catalogue = self._base.catalogue
        self._writer = FeatureWriter(self._settings.redis_host, self._settings.redis_port, self._settings.generation)
        self._cache = _Cache()
        group = context.get_metrics_group().add_group("martlet")
        self._counters = {name: group.counter(name) for name in (APPLIED, DUPLICATE, LATE, "rejected", "rerouted")}
        self._counted = dict.fromkeys(self._counters, 0)

    def close(self) -> None:
        self._writer.close()

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        record = unpack(value)
        key: str = ctx.get_current_key()
        try:
            clock = self._settings.clock_at(record.broker_ts)
            event = admit(record.value, key, record.partition, record.broker_ts, clock)
        except BadEvent as error:
            self._counted["rejected"] += 1
            yield REJECTED, _rejected(record, str(error))
            # The place in the log is known even if the event is not: a wait for it must end.
            user_id = user_of_key(key, record.partition)
            if user_id is not None:
                self._store(key, user_id, self._load(key, user_id), record, ctx)
            return
        except Misplaced as misplaced:
            self._counted["rerouted"] += 1
            yield REROUTED, Row(k=str(misplaced.event.user_id), v=record.value.decode("latin-1"))
            return
        user = self._load(key, event.user_id)
        verdict, added = fold_user(user.state, event, self._item_of(user.state, event), record.offset + 1)
        self._counted[verdict] += 1
        self._store(key, event.user_id, user, record, ctx, event.ts if verdict == APPLIED else 0)
        if added is not None:
            yield f"{added.item_id}|{added.ts}|{added.kind}|{added.centi}|{added.sign}|{record.broker_ts}"

    def _item_of(self, state: UserState, event: Event) -> Any:
        if event.kind != UNDO:
            return self._catalogue.get(event.item_id)
        item_id = undone_item(state, event)
        return None if item_id is None else self._catalogue.get(item_id)

    def _load(self, key: str, user_id: int) -> _User:
        user = self._cache.get(key)
        if user is not None:
            return user
        stored = self._value.value()
        if stored is None:
            user = _User(self._from_base(user_id), 0, 0)
        else:
            data: bytes = stored
            floor, n, broker_ts = _HEAD.unpack_from(data)
            entries = ((hashed, Applied(*_ENTRY.unpack(entry))) for hashed, entry in self._memory.items())
            memory = DedupeMemory(entries, floor)
            user = _User(
                UserState(decode_user(data[_HEAD.size :]), memory, SeenItems(self._seen.items())), n, broker_ts
            )
        self._cache.put(key, user)
        return user

    def _from_base(self, user_id: int) -> UserState:
        """The base's state of a user met for the first time; its remembered events go into Flink's state with it."""
        stored = self._base.stored_user(user_id)
        if stored is None:
            return UserState(UserFeatures(user_id))
        state = thaw_user(stored)
        state.memory.changes.extend(state.memory.items())
        for item_id, n in state.seen.items():
            self._seen.put(item_id, n)
        return state

    def _store(
        self, key: str, user_id: int, user: _User, record: Record, ctx: KeyedProcessFunction.Context, event_ts: int = 0
    ) -> None:
        state = user.state
        user.n, user.broker_ts = record.offset + 1, record.broker_ts
        value = encode_features(state.features)
        self._value.update(_HEAD.pack(state.memory.floor, user.n, user.broker_ts) + value)
        for hashed, entry in state.memory.changes:
            if entry is None:
                self._memory.remove(hashed)
            else:
                self._memory.put(hashed, _ENTRY.pack(*entry))
        state.memory.changes.clear()
        seen = {}
        for item_id, n in state.seen.changes:
            seen[item_id] = n is not None
            if n is None:
                self._seen.remove(item_id)
            else:
                self._seen.put(item_id, n)
        state.seen.changes.clear()
        self._cache.put(key, user)
        if not user.has_timer:
            user.has_timer = True
            _set_timer(ctx)
        self._writer.put_user(user_id, UserWrite(user.n, user.broker_ts, value, event_ts, seen))

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        key: str = ctx.get_current_key()
        user_id = int(key)
        user = self._cache.get(key)
        if user is None:
            user = self._load(key, user_id)
            state = user.state
            whole = {item_id: True for item_id, _ in state.seen.items()}
            value = encode_features(state.features)
            self._writer.put_user(
                user_id, UserWrite(user.n, user.broker_ts, value, state.features.last_ts, whole, True)
            )
        user.has_timer = self._writer.is_writing_user(user_id)
        if user.has_timer:
            _set_timer(ctx)
        self._report_counts()
        return iter(())

    def _report_counts(self) -> None:
        """Hand counts to Flink's metrics: each call crosses into Java, so not for every event."""
        for name, count in self._counted.items():
            if count:
                self._counters[name].inc(count)
                self._counted[name] = 0


def _rejected(record: Record, reason: str) -> Row:
    return Row(
        k=None if record.key is None else record.key.decode("latin-1"),
        v=record.value.decode("latin-1"),
        topic="events",
        part=str(record.partition),
        off=str(record.offset),
        reason=reason,
    )


def _set_timer(ctx: KeyedProcessFunction.Context) -> None:
    """A timer of the current key, which vouches for its last write."""
    timers = ctx.timer_service()
    timers.register_processing_time_timer(timers.current_processing_time() + SETTLE_MS)


class ItemFold(KeyedProcessFunction):
    """Contributions to one item, in any order → the item's features in Redis."""

    def __init__(self, settings: JobSettings) -> None:
        self._settings = settings

    def open(self, context: RuntimeContext) -> None:
        sys.setswitchinterval(0.0002)
        self._value = context.get_state(ValueStateDescriptor("features-v1", _BYTES))
        self._base = Base(Path(self._settings.base))
        self._writer = FeatureWriter(self._settings.redis_host, self._settings.redis_port, self._settings.generation)
        self._cache: OrderedDict[int, list[Any]] = OrderedDict()  # item → [features, broker ms, has a timer]

    def close(self) -> None:
        self._writer.close()

    def _load(self, item_id: int) -> list[Any]:
        entry = self._cache.get(item_id)
        if entry is None:
            stored = self._value.value()
            if stored is None:
                entry = [self._base.item_features(item_id) or ItemFeatures(item_id), 0, False]
            else:
                data: bytes = stored
                entry = [decode_item(data[8:]), int.from_bytes(data[:8], "little"), False]
            self._cache[item_id] = entry
            if len(self._cache) > CACHED_ENTRIES // 10:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(item_id)
        return entry

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        item_id, ts, kind, centi, sign, broker_ts = map(int, value.split("|"))
        entry = self._load(item_id)
        features = fold_item(entry[0], Contribution(item_id, ts, kind, centi, sign))
        entry[1] = max(entry[1], broker_ts)
        encoded = encode_features(features)
        self._value.update(entry[1].to_bytes(8, "little") + encoded)
        if not entry[2]:
            entry[2] = True
            _set_timer(ctx)
        self._writer.put_item(item_id, ItemWrite(features.n, entry[1], encoded))
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        item_id = int(ctx.get_current_key())
        known = item_id in self._cache
        entry = self._load(item_id)
        if not known:
            self._writer.put_item(item_id, ItemWrite(entry[0].n, entry[1], encode_features(entry[0])))
        entry[2] = self._writer.is_writing_item(item_id)
        if entry[2]:
            _set_timer(ctx)
        return iter(())
