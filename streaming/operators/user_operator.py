"""The operator of users: records of the log, in order → features in Redis, deltas for items, samples, rejects.

Flink's keyed state is the truth; it is changed once per batch. A write that Redis has not acknowledged waits in memory, but the
state it comes from and the list of such users (`StoredLane.unsent`) are in the same checkpoint: after a crash each lane repeats
these writes as soon as a record or its timer reaches it. Repeating is harmless: writes are absolute and fenced.
Users are written at once; messages to items and the lane's own numbers are batched for a moment (`SETTLE`).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, OutputTag, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from features.base.reader import Base
from features.contracts.admission import Marked, Misplaced, admit, admit_list, key_text, user_of_key
from features.contracts.samples import action_of, write_forgotten, write_sample
from features.errors import BadEvent, Broken
from features.fold.dedupe import DedupeMemory
from features.fold.impressions import admit_shown, list_memory
from features.fold.user import fold_user, undone_item
from features.ids import OuterId
from features.keys import EVENTS, ITEMS, SERVED, user_key, user_of
from features.store.job_status import VERDICTS, lane_key
from features.types import FORGET_USER, UNDO, Event, Item
from features.verdicts import APPLIED, MARKS, REJECTED, REROUTED
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC, Record, partition_of_batch, unpack_batch
from streaming.lanes import LABELS, LANE_OF
from streaming.operators.impression_join import LaneLists, OpenLists
from streaming.operators.item_deltas import deltas_of
from streaming.operators.items_reader import ItemsReader, ItemsTopic, KafkaItems
from streaming.operators.list_references import OpenList
from streaming.operators.stored_state import (
    STATE_VERSION,
    StoredLane,
    decode_lane,
    encode,
    pack_ids,
    require_state,
    unpack_ids,
)
from streaming.operators.timers import is_tick, set_tick, set_timer, subtask_of, tune_interpreter
from streaming.operators.user_cache import BYTES, LiveUser, UserStates
from streaming.redis_sink.redis_commands import LaneWrite, Write
from streaming.redis_sink.redis_connection import Connection
from streaming.redis_sink.redis_writer import Connect, FeatureWriter
from streaming.settings import JobSettings
from streaming.time_source import SYSTEM_TIME, TimeSource

SETTLE = 0.1
"""Seconds between a lane's messages to items, and between its own numbers in Redis, unless …"""
SETTLE_AT = 64
"""… so many contributions to items and shown lists wait: they are in the lane's state, which each batch stores anew."""
SILENT_S = 10.0
_TEXT = Types.STRING()
_COLUMNS = ["k", "v", "topic", "part", "off", "reason"]
REJECTED_TAG = OutputTag("rejected", Types.ROW_NAMED(_COLUMNS, [_TEXT] * len(_COLUMNS)))
REROUTED_TAG = OutputTag("rerouted", Types.ROW_NAMED(["k", "v"], [_TEXT, _TEXT]))
SAMPLES_TAG = OutputTag("samples", Types.ROW_NAMED(["k", "v"], [_TEXT, _TEXT]))
_TOPIC_NAMES = ("events", "served")


class _Lane:
    """A lane's state in Flink, decoded, and this subtask's bookkeeping for it."""

    def __init__(self, number: int, stored: StoredLane, lists: LaneLists, now: float) -> None:
        self.number = number
        self.stored = stored
        self.lists = lists
        self.unsent = set(stored.unsent)
        self.touched_at = now
        self.read = {EVENTS_TOPIC: (0, now), SERVED_TOPIC: (0, now)}
        """Topic → (newest broker time read, ms; when, by this process' clock). At the start either may have much to come."""
        self.due = 0.0
        """When pending messages are to be sent …"""
        self.waits = stored.waiting > 0
        """… and whether there are any; a timer is set then."""

    def time(self, now: float) -> int:
        """The lane's time, ms: the topics are read independently, so it is that of the one behind, as long as both move."""
        moving = [broker_ts for broker_ts, at in self.read.values() if now - at <= SILENT_S]
        return min(moving, default=self.stored.broker_ts)


class UserFold(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """The user operator (see the module). One element is a batch of records of a lane; the output is (label, `Delta`) for
    lanes of items."""

    def __init__(
        self,
        settings: JobSettings,
        *,
        connect: Connect = Connection,
        connect_items: Callable[[str], ItemsTopic] = KafkaItems,
        time_source: TimeSource = SYSTEM_TIME,
    ) -> None:
        self._settings = settings
        self._connect = connect
        self._connect_items = connect_items
        self._time = time_source

    def open(self, context: RuntimeContext) -> None:
        require_state(self._settings.state_version)
        tune_interpreter()
        settings = self._settings
        self._clock = settings.clock()
        self._base = Base(Path(settings.base))
        self._schema = self._base.schema
        self._catalogue = self._base.versions()
        self._items_reader = ItemsReader(self._catalogue, self._schema, lambda: self._connect_items(settings.bootstrap))
        self._states = UserStates(context, self._base)
        self._lists = OpenLists(context, 1000 * settings.attribution)
        self._stored_lane = context.get_state(ValueStateDescriptor(f"lane-{STATE_VERSION}", BYTES))
        self._list_memories = context.get_map_state(MapStateDescriptor(f"lists-{STATE_VERSION}", Types.LONG(), BYTES))
        subtask = subtask_of(context)
        self._writer = FeatureWriter(
            settings.redis_host,
            settings.redis_port,
            settings.generation,
            "users",
            subtask,
            connect=self._connect,
            time_source=self._time,
        )
        self._lanes: dict[int, _Lane] = {}
        group = context.get_metrics_group().add_group("martlet")
        self._counters = {name: group.counter(name) for name in VERDICTS}
        self._counted = dict.fromkeys(VERDICTS, 0)

    def close(self) -> None:
        self._items_reader.close()
        self._writer.close()

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        # The lane is in the batch: getting the key from Flink would be a crossing.
        lane = self._lanes.get(LABELS[partition_of_batch(value)]) or self._lane(ctx)
        stored = lane.stored
        changed: dict[int, LiveUser] = {}
        newest: dict[int, int] = {}
        for record in unpack_batch(value):
            if record.topic == EVENTS_TOPIC:
                yield from self._event(lane, record, changed)
                stored.n = record.offset + 1
            else:
                yield from self._list(lane, record, changed)
                stored.s = record.offset + 1
            stored.broker_ts = max(stored.broker_ts, record.broker_ts)
            newest[record.topic] = max(newest.get(record.topic, 0), record.broker_ts)
        now = lane.touched_at = self._time.monotonic()
        for topic, broker_ts in newest.items():
            lane.read[topic] = max(broker_ts, lane.read[topic][0]), now
        yield from self._close_lists(lane, silent=False)
        yield from self._store(lane, changed, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        lane = self._lane(ctx)
        closed = []
        silent = self._time.monotonic() - lane.touched_at > SILENT_S
        if silent or self._lists.due(lane.lists, lane.time(self._time.monotonic())):
            closed = list(self._close_lists(lane, silent))
        if closed or (lane.waits and self._time.monotonic() >= lane.due):
            yield from closed
            yield from self._store(lane, {}, ctx)
        if not is_tick(timestamp):
            return
        self._writer.tick()
        for name, count in self._counted.items():
            if count:  # each call crosses into Java, so not for every event
                self._counters[name].inc(count)
                self._counted[name] = 0
        set_tick(ctx, self._time.wall_ms())

    def _lane(self, ctx: Any) -> _Lane:
        """Returns the current lane; on first use since the start, repeats the writes that may not have reached Redis."""
        label: int = ctx.get_current_key()
        lane = self._lanes.get(label)
        if lane is None:
            data = self._stored_lane.value()
            number, offsets = LANE_OF[label], self._base.offsets
            begin = StoredLane(n=offsets[EVENTS][number], s=offsets[SERVED][number])
            begin.catalogue = self._base.catalogue_versions[number]
            stored = begin if data is None else decode_lane(data)
            if not self._items_reader.reach(stored.catalogue):
                raise Broken(
                    f"topic {ITEMS}: expected {stored.catalogue} records, as lane {number} knows them, got fewer"
                )
            lane = self._lanes[label] = _Lane(number, stored, self._lists.lane(), self._time.monotonic())
            for name in VERDICTS:
                self._counted[name] += getattr(stored, name)
            again = self._states.whole_writes(map(user_of, stored.unsent))
            self._writer.put({user_key(user_id): write for user_id, write in again.items()} | self._numbers(lane))
            set_tick(ctx, self._time.wall_ms())
        return lane

    def _event(self, lane: _Lane, record: Record, changed: dict[int, LiveUser]) -> Iterator[Any]:
        key = _key_of(record)
        try:
            clock = self._clock.at(record.broker_ts)
            event = admit(record.value, key, record.partition, record.broker_ts, clock, self._schema)
        except BadEvent as error:
            self._count(lane, REJECTED)
            yield REJECTED_TAG, _rejected(record, str(error))
            # The offset is known even if the event is unreadable: a read that waits for it must end.
            user_id = user_of_key(key, record.partition, self._schema)
            if user_id is not None:
                self._user(user_id, record, changed)
            return
        except Misplaced as misplaced:
            self._count(lane, REROUTED)
            yield REROUTED_TAG, Row(k=misplaced.key.encode().decode("latin-1"), v=record.value.decode("latin-1"))
            return
        except Marked as mark:
            yield from self._mark(lane, record, mark.version)
            return
        user = self._user(event.user_id, record, changed)
        item = self._item_of(lane, user, event)
        verdict, contribution = fold_user(user.state, event, item, record.offset + 1, self._schema)
        self._count(lane, verdict)
        user.note_changes()
        if verdict != APPLIED:
            return
        lane.stored.watermark = max(lane.stored.watermark, event.ts)
        if contribution is not None and self._settings.items:
            lane.stored.pending.append(contribution)
        yield from self._update_open_lists(lane, user, event, record)

    def _mark(self, lane: _Lane, record: Record, version: int) -> Iterator[Any]:
        """Take a mark of the catalogue, once its items have been read; one of items that are not there is rejected."""
        if self._items_reader.allows(version, record.broker_ts):
            lane.stored.catalogue = max(lane.stored.catalogue, version)
            self._count(lane, MARKS)
        else:
            self._count(lane, REJECTED)
            yield (
                REJECTED_TAG,
                _rejected(record, f"items: expected at most the records that topic {ITEMS} had then, got {version}"),
            )

    def _update_open_lists(self, lane: _Lane, user: LiveUser, event: Event, record: Record) -> Iterator[Any]:
        """Apply an event to the open lists: an undo, a forgotten user, or an action on a list."""
        if event.kind == UNDO:
            self._lists.take_back(lane.lists, event.user_id, event.target)
        elif event.kind == FORGET_USER:
            self._lists.forget(lane.lists, event.user_id, user.state.memory.floor, record.broker_ts)
            yield _sample(event.outer_user, write_forgotten(event.outer_user, record.broker_ts))
        elif event.request_id is not None:
            self._lists.act(
                lane.lists, event.user_id, event.request_id, action_of(event, self._schema), record.broker_ts
            )

    def _user(self, user_id: int, record: Record, changed: dict[int, LiveUser]) -> LiveUser:
        user = changed.get(user_id)
        if user is None:
            user = changed[user_id] = self._states.load_user(user_id)
        user.n, user.broker_ts = record.offset + 1, record.broker_ts
        return user

    def _item_of(self, lane: _Lane, user: LiveUser, event: Event) -> Item | None:
        item_id = undone_item(user.state, event) if event.kind == UNDO else event.item_id
        return None if item_id is None else self._catalogue.item(item_id, lane.stored.catalogue)

    def _list(self, lane: _Lane, record: Record, changed: dict[int, LiveUser]) -> Iterator[Any]:
        try:
            clock = self._clock.at(record.broker_ts)
            head = admit_list(record.value, _key_of(record), record.partition, record.broker_ts, clock, self._schema)
        except BadEvent as error:
            lane.stored.count_list(REJECTED)
            yield REJECTED_TAG, _rejected(record, str(error))
            return
        memory = self._list_memory(head.user_id)
        verdict = admit_shown(memory, head)
        lane.stored.count_list(verdict)
        if verdict == APPLIED:
            if self._settings.items:
                lane.stored.shown.append((head.ts, head.item_ids))
            self._list_memories.put(head.user_id, _pack_memory(memory))
            # A list is logged some time after it was made: by then its user may have wished to be forgotten.
            user = changed.get(head.user_id) or self._states.load_user(head.user_id)
            if head.ts > user.state.memory.floor:
                reference = OpenList(head.request_id, head.user_id, head.user, head.ts, record.offset, head.shown)
                self._lists.show(lane.lists, reference, record.broker_ts)

    def _list_memory(self, user_id: int) -> DedupeMemory:
        """Returns the dedupe memory of a user's lists, from Flink's state, else from the base."""
        data = self._list_memories.get(user_id)
        if data is None:
            stored = self._base.user(user_id)
            return list_memory([] if stored is None else stored.lists)
        ids = unpack_ids(data)
        return list_memory(list(zip(ids[::2], ids[1::2], strict=True)))

    def _close_lists(self, lane: _Lane, silent: bool) -> Iterator[Any]:
        stored, now, until = lane.stored, self._time.wall_ms(), lane.time(self._time.monotonic())
        for reference, actions, closed_ts in self._lists.close(lane.lists, until, now, silent):
            stored.samples += 1
            value = write_sample(
                reference.request_id, reference.user, reference.served, reference.shown, actions, closed_ts
            )
            yield _sample(reference.user, value)
        stored.closed_early += lane.lists.early
        stored.unmatched += lane.lists.unmatched
        lane.lists.early = lane.lists.unmatched = 0

    def _count(self, lane: _Lane, verdict: str) -> None:
        lane.stored.count(verdict)
        self._counted[verdict] += 1

    def _store(self, lane: _Lane, changed: dict[int, LiveUser], ctx: Any) -> Iterator[Any]:
        """End a batch: store everything in Flink's state, and send it to Redis and to items."""
        stored, now = lane.stored, self._time.monotonic()
        writes: dict[str, Write] = {user_key(user_id): write for user_id, write in self._states.store(changed).items()}
        lane.unsent = self._writer.unsent(lane.unsent) | writes.keys()
        deltas: dict[int, bytes] = {}
        if now >= lane.due or stored.waiting >= SETTLE_AT:
            deltas = deltas_of(stored.pending, stored.shown, stored.broker_ts)
            stored.pending, stored.shown = [], []
            lane.waits, lane.due = False, now + SETTLE
            writes |= self._numbers(lane)
        elif not lane.waits:
            lane.waits = True
            set_timer(ctx, self._time.wall_ms() + 1 + int((lane.due - now) * 1000))
        stored.unsent = list(lane.unsent)
        self._lists.store(lane.lists)
        self._stored_lane.update(encode(stored))
        self._writer.put(writes)
        for number, delta in deltas.items():
            yield Row(LABELS[number], delta)

    def _numbers(self, lane: _Lane) -> dict[str, Write]:
        published = lane.stored.published(self._settings.generation, lane.lists.count)
        return {lane_key(lane.number): LaneWrite(published)}


def _pack_memory(memory: DedupeMemory) -> bytes:
    return pack_ids(number for key, entry in memory.items() for number in (key, entry.ts))


def _sample(user: OuterId, value: bytes) -> tuple[OutputTag, Row]:
    return SAMPLES_TAG, Row(k=str(user).encode().decode("latin-1"), v=value.decode("latin-1"))


def _key_of(record: Record) -> str:
    key = record.key or ""
    return key if key.isascii() else key_text(key.encode("latin-1"))


def _rejected(record: Record, reason: str) -> Row:
    return Row(
        k=record.key,
        v=record.value.decode("latin-1"),
        topic=_TOPIC_NAMES[record.topic],
        part=str(record.partition),
        off=str(record.offset),
        reason=reason,
    )
