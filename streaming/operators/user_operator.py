"""The operator of users: records of the log, in order → features in Redis, deltas for items, samples, rejects.

Flink's keyed state is the truth; it is changed once per batch. A write that Redis has not acknowledged waits in memory, but the
state it comes from and the list of such users (`StoredLane.unsent`) are in the same checkpoint: after a crash each lane repeats
these writes as soon as a record or its timer reaches it. Repeating is harmless: writes are absolute and fenced.
Users are written at once; messages to items and the lane's own numbers are batched for a moment (`SETTLE`).

Plain events are collected and folded by the kernel, user by user (`features.kernel`); what else comes waits until they are, so
each user's events keep their order.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from features.base.reader import Base
from features.contracts.admission import Marked, Misplaced, key_text
from features.engines.kafka_address import KafkaAddress
from features.errors import BadEvent
from features.kernel.compile_kernel import compile_users
from features.kernel.contribution_rows import TS, rows_of
from features.kernel.users.event_batch import VERDICTS as EVENT_VERDICTS
from features.kernel.users.event_batch import EventBatch
from features.kernel.users.user_kernel import UserKernel
from features.keys import EVENTS, ITEMS, SERVED, user_key, user_of
from features.schema.tables import Schema
from features.store.job_status import VERDICTS, lane_key
from features.types import FOREVER
from features.verdicts import APPLIED, MARKS, REJECTED, REROUTED
from streaming.batch_codec import EVENTS_TOPIC, Record, partition_of_batch, unpack_batch
from streaming.lanes import Lanes
from streaming.log_ends import KafkaLogEnds, LogEnds
from streaming.machine_memory import cache_limit, machine_memory
from streaming.operators.byte_states import ByteStates, FlinkStates
from streaming.operators.item_deltas import deltas_of
from streaming.operators.items_reader import ItemsReader, ItemsTopic, KafkaItems
from streaming.operators.served_lists import ServedLists
from streaming.operators.side_outputs import rejected, rerouted
from streaming.operators.stored_state import (
    StoredLane,
    decode_lane,
    encode,
    require_state,
)
from streaming.operators.timers import is_cancelled, is_tick, set_timer, subtask_of, tune_interpreter
from streaming.operators.user_cache import LiveUser, UserStates
from streaming.operators.user_lane import LaneProgress
from streaming.redis_sink.lane_keys import LaneKeys
from streaming.redis_sink.redis_commands import LaneWrite, Write
from streaming.redis_sink.redis_connection import Connection
from streaming.redis_sink.redis_writer import FeatureWriter
from streaming.redis_sink.repeats import Repeats
from streaming.redis_sink.server_pipe import Connect
from streaming.settings import JobSettings
from streaming.time_source import SYSTEM_TIME, TimeSource

SETTLE = 0.1
"""Seconds between a lane's messages to items, and between its own numbers in Redis, unless …"""
SETTLE_AT = 64
"""… so many contributions to items and shown lists wait: they are in the lane's state, which each batch stores anew."""
NewBatch = Callable[[UserKernel, Schema], EventBatch[LiveUser]]
EVICTED = "evicted_users"
"""Counter of users that left memory for want of room, to be read again from Flink's state."""


class UserFold(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """The user operator (see the module). One element is a batch of records of a lane; the output is (label, `Delta`) for
    lanes of items."""

    def __init__(
        self,
        settings: JobSettings,
        *,
        open_states: Callable[[RuntimeContext], ByteStates] = FlinkStates,
        connect: Connect = Connection,
        connect_items: Callable[[KafkaAddress], ItemsTopic] = KafkaItems,
        connect_log: Callable[[KafkaAddress], LogEnds] = KafkaLogEnds,
        time_source: TimeSource = SYSTEM_TIME,
        cancelled: Callable[[], bool] = is_cancelled,
        new_batch: NewBatch = EventBatch,
    ) -> None:
        self._settings = settings
        self._open_states = open_states
        self._new_batch = new_batch
        self._connect = connect
        self._connect_items = connect_items
        self._connect_log = connect_log
        self._time = time_source
        self._is_cancelled = cancelled

    def open(self, context: RuntimeContext) -> None:
        require_state(self._settings.state_version)
        tune_interpreter()
        settings = self._settings
        self._clock = settings.clock()
        self._base = Base(Path(settings.base))
        self._schema, self._admission = self._base.schema, self._base.admission
        self._lane_numbers = Lanes(self._base.partitions)
        self._catalogue = self._base.versions()
        self._items_reader = ItemsReader(
            self._catalogue, self._schema, lambda: self._connect_items(settings.kafka), self._is_cancelled
        )
        compile_users(self._schema)
        states = self._open_states(context)
        self._states = UserStates(states, self._base, cache_limit(machine_memory()))
        self._batch = self._new_batch(self._states.kernel, self._schema)
        self._reader = self._batch.reader(self._clock, self._base.partitions)
        log = self._connect_log(settings.kafka)
        self._lists = ServedLists(states, self._base, self._clock, 1000 * settings.attribution, log, self._time)
        self._stored_lane = states.value("lane")
        subtask = subtask_of(context)
        self._writer = FeatureWriter(
            settings.redis,
            settings.generation,
            "users",
            subtask,
            connect=self._connect,
            time_source=self._time,
            is_cancelled=self._is_cancelled,
        )
        self._repeats = Repeats(self._writer, "users", subtask, self._time)
        self._lanes: dict[int, LaneProgress] = {}
        self._ticked_at = 0
        group = context.get_metrics_group().add_group("martlet")
        self._counters = {name: group.counter(name) for name in (*VERDICTS, EVICTED)}
        self._counted = dict.fromkeys(self._counters, 0)

    def close(self) -> None:
        self._items_reader.close()
        self._lists.close()
        self._writer.close()

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        # The lane is in the batch: getting the key from Flink would be a crossing.
        lane = self._lanes.get(self._lane_numbers.labels[partition_of_batch(value)]) or self._lane(ctx)
        lane.ticks.keep_up(ctx, self._time.wall_ms())
        changed: dict[int, LiveUser] = {}
        out: list[Any] = []
        oldest = FOREVER
        for record in unpack_batch(value):
            lane.begin(record)
            oldest = min(oldest, record.broker_ts)
            if record.topic == EVENTS_TOPIC:
                self._event(lane, record, changed, out)
            else:
                self._list(lane, record, changed, out)
            lane.end(record)
        self._fold_batch(lane)
        self._lists.close_due(lane, out)
        self._store(lane, changed, ctx, out, whole=oldest <= self._settings.whole_until)
        return iter(out)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        lane = self._lane(ctx)
        if is_tick(timestamp):
            self._tick(timestamp)
            for keys in self._repeats.take(lane.keys):
                self._write_again(lane, keys)
            self._repeats.settle([each.keys for each in self._lanes.values()])
            lane.ticks.go_on(ctx, self._time.wall_ms(), timestamp)
        out: list[Any] = []
        if self._lists.due(lane):
            self._lists.close_due(lane, out)
            self._store(lane, {}, ctx, out)
        elif lane.waits and self._time.monotonic() >= lane.due:
            self._store(lane, {}, ctx, out)
        return iter(out)

    def _tick(self, timestamp: int) -> None:
        """Do what a subtask does every second, at the first of its lanes' ticks."""
        if timestamp == self._ticked_at:
            return
        self._ticked_at = timestamp
        self._lists.poll_ends(self._lanes.values())
        self._writer.tick()
        self._repeats.poll(timestamp)
        self._counted[EVICTED] += self._states.take_evicted()
        for name, count in self._counted.items():
            if count:  # each call crosses into Java, so not for every event
                self._counters[name].inc(count)
                self._counted[name] = 0

    def _lane(self, ctx: Any) -> LaneProgress:
        """Returns the current lane; on first use since the start, repeats the writes that may not have reached Redis."""
        label: int = ctx.get_current_key()
        lane = self._lanes.get(label)
        if lane is None:
            data = self._stored_lane.value()
            number, offsets = self._lane_numbers.lane_of[label], self._base.offsets
            begin = StoredLane(n=offsets[EVENTS][number], s=offsets[SERVED][number])
            begin.catalogue = self._base.catalogue_versions[number]
            stored = begin if data is None else decode_lane(data)
            known = stored.catalogue
            stored.catalogue = self._items_reader.reach_again(known)
            if data is not None:
                stored.items_lost = max(stored.items_lost, self._items_reader.lost(known, stored.items_begin))
            keys = LaneKeys(stored.unsent, self._time)
            lane = self._lanes[label] = LaneProgress(number, stored, self._lists.lane(), keys)
            for name in VERDICTS:
                self._counted[name] += getattr(stored, name)
            self._write_again(lane, stored.unsent)
            lane.ticks.go_on(ctx, self._time.wall_ms())
        return lane

    def _write_again(self, lane: LaneProgress, keys: Iterable[str]) -> None:
        again = self._states.whole_writes(map(user_of, keys))
        self._writer.put({user_key(user_id): write for user_id, write in again.items()} | self._numbers(lane))

    def _event(self, lane: LaneProgress, record: Record, changed: dict[int, LiveUser], out: list[Any]) -> None:
        key = _key_of(record)
        plain = self._reader.read(record.value, key, record.partition, record.broker_ts)
        if plain is None:
            self._admit(lane, record, key, changed, out)
            return
        user = self._user(plain.user_id, record, changed)
        item = self._catalogue.item(plain.item_id, lane.stored.catalogue)
        self._batch.add_plain(user, user.rows, plain, item, record.offset + 1, record.broker_ts)

    def _admit(
        self, lane: LaneProgress, record: Record, key: str, changed: dict[int, LiveUser], out: list[Any]
    ) -> None:
        """Let admission say what a record is, and fold an event that the kernel does not take by the specification."""
        try:
            clock = self._clock.at(record.broker_ts)
            event = self._admission.admit(record.value, key, record.partition, record.broker_ts, clock)
        except BadEvent as error:
            self._count(lane, REJECTED)
            out.append(rejected(record, str(error)))
            # The offset is known even if the event is unreadable: a read that waits for it must end.
            user_id = self._admission.user_of_key(key, record.partition)
            if user_id is not None:
                self._user(user_id, record, changed)
            return
        except Misplaced as misplaced:
            self._count(lane, REROUTED)
            out.append(rerouted(record, misplaced.key))
            return
        except Marked as mark:
            self._mark(lane, record, mark.version, out)
            return
        user = self._user(event.user_id, record, changed)
        if self._batch.takes(event):
            item = self._catalogue.item(event.item_id, lane.stored.catalogue)
            self._batch.add(user, user.rows, event, item, record.offset + 1, record.broker_ts)
            return
        self._fold_batch(lane)
        verdict, added = self._states.fold_left_over(
            user, event, lambda item_id: self._catalogue.item(item_id, lane.stored.catalogue), record.offset + 1
        )
        self._count(lane, verdict)
        if verdict != APPLIED:
            return
        lane.stored.watermark = max(lane.stored.watermark, event.ts)
        if added is not None and self._settings.items:
            lane.stored.add_pending(rows_of([added]), {added.item_id: added.item} if added.item else {})
        self._lists.apply(lane, event, record.broker_ts, user.rows.floor, out)

    def _fold_batch(self, lane: LaneProgress) -> None:
        """Fold the plain events collected so far: the lane counts them, their items and their users' open lists learn of them."""
        if not self._batch:
            return
        folded = self._batch.fold()
        for user in folded.users:
            user.owner.note_changes(user.records, user.hidden)
        for verdict, times in zip(EVENT_VERDICTS, np.bincount(folded.verdicts).tolist(), strict=False):
            self._count(lane, verdict, times)
        if len(folded.contributions):
            lane.stored.watermark = max(lane.stored.watermark, int(folded.contributions[:, TS].max()))
            if self._settings.items:
                lane.stored.add_pending(folded.contributions, folded.names)
        for act in folded.acts:
            self._lists.act(lane, act.event, act.broker_ts)

    def _mark(self, lane: LaneProgress, record: Record, version: int, out: list[Any]) -> None:
        """Take a mark of the catalogue, once its items have been read; one of items that are not there is rejected."""
        if self._items_reader.allows(version, record.broker_ts):
            if lane.stored.catalogue < self._items_reader.begin:
                lane.stored.items_begin = self._items_reader.begin
            lane.stored.catalogue = max(lane.stored.catalogue, version)
            self._count(lane, MARKS)
        else:
            self._count(lane, REJECTED)
            reason = f"items: expected at most the records that topic {ITEMS} had then, got {version}"
            out.append(rejected(record, reason))

    def _user(self, user_id: int, record: Record, changed: dict[int, LiveUser]) -> LiveUser:
        user = changed.get(user_id)
        if user is None:
            user = changed[user_id] = self._states.load_user(user_id)
        user.n, user.broker_ts = record.offset + 1, record.broker_ts
        return user

    def _list(self, lane: LaneProgress, record: Record, changed: dict[int, LiveUser], out: list[Any]) -> None:
        self._fold_batch(lane)
        head = self._lists.admit(lane, record, _key_of(record), out)
        if head is None:
            return
        if self._settings.items:
            lane.stored.shown.append((head.ts, head.item_ids))
        user = changed.get(head.user_id) or self._states.load_user(head.user_id)
        self._lists.show(lane, head, record, user.rows.floor)

    def _count(self, lane: LaneProgress, verdict: str, times: int = 1) -> None:
        lane.stored.count(verdict, times)
        self._counted[verdict] += times

    def _store(
        self, lane: LaneProgress, changed: dict[int, LiveUser], ctx: Any, out: list[Any], whole: bool = False
    ) -> None:
        """End a batch: store everything in Flink's state, and send it to Redis and to items."""
        stored, now = lane.stored, self._time.monotonic()
        written = self._states.store(changed, whole)
        writes: dict[str, Write] = {user_key(user_id): write for user_id, write in written.items()}
        lane.keys.put(self._writer, writes)
        deltas: dict[int, bytes] = {}
        if now >= lane.due or stored.waiting >= SETTLE_AT:
            deltas = deltas_of(self._lane_numbers, *stored.take_pending(), stored.shown, stored.broker_ts)
            stored.shown = []
            lane.waits, lane.due = False, now + SETTLE
            writes |= self._numbers(lane)
        elif not lane.waits:
            lane.waits = True
            set_timer(ctx, self._time.wall_ms() + 1 + int((lane.due - now) * 1000))
        stored.unsent = list(lane.keys.unsent)
        self._lists.store(lane)
        self._stored_lane.update(encode(stored))
        self._writer.put(writes)
        out += [Row(self._lane_numbers.labels[number], delta) for number, delta in deltas.items()]

    def _numbers(self, lane: LaneProgress) -> dict[str, Write]:
        published = lane.stored.published(self._settings.generation, lane.lists.count)
        return {lane_key(lane.number): LaneWrite(published)}


def _key_of(record: Record) -> str:
    key = record.key or ""
    return key if key.isascii() else key_text(key.encode("latin-1"))
