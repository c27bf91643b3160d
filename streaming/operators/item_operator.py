"""The operator of items: deltas of events, in any order → features and neighbours of items in Redis.

A delta is folded at once into rows of the kernel, and stored as it is in Flink's state (one cheap step); rows are encoded, stored
and sent together: at once when the stream is calm, at longer intervals the longer that takes, 0.8 s at most (3 s while the
stream is behind by that much), and before their time where a lane has more of them than its share of PENDING_ROWS. After a crash
the stored deltas are folded again.

A list changes all its items, each only slightly, and no list is made of impressions. So an item that was only shown is written to
Redis every IMPRESSIONS seconds; until then its key is with those that Redis has not acknowledged.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from features.arrays import IntArray
from features.base.reader import Base
from features.kernel.compile_kernel import compile_items
from features.kernel.items.item_kernel import ItemKernel
from features.kernel.pairs.pair_kernel import PairKernel
from features.kernel.users.schema_rules import rules_of
from features.keys import item_key, item_of, item_of_pairs, pairs_key
from features.types import Millis
from streaming.lanes import labels_of
from streaming.operators.byte_states import ByteStates, FlinkStates
from streaming.operators.item_deltas import lane_of_delta, read_delta
from streaming.operators.row_cache import RowCache
from streaming.operators.stored_state import (
    decode_keys,
    encode,
    require_state,
)
from streaming.operators.timers import Ticks, is_cancelled, is_tick, set_timer, subtask_of, tune_interpreter
from streaming.redis_sink.lane_keys import LaneKeys
from streaming.redis_sink.redis_commands import StateWrite, Write
from streaming.redis_sink.redis_connection import Connection
from streaming.redis_sink.redis_writer import FeatureWriter
from streaming.redis_sink.repeats import Repeats
from streaming.redis_sink.server_pipe import Connect
from streaming.settings import JobSettings
from streaming.time_source import SYSTEM_TIME, TimeSource

CACHED_ITEMS, CACHED_PAIRS = 20_000, 5_000
"""Limits of the rows of items, of 3 kB each, and of those of co-visits, of 8 kB each."""
PENDING_ROWS = 8_000
"""Rows that have changed, of items and of co-visits together, which all lanes hold until they are flushed: with more than its
share of them a lane is flushed before its time."""
SHORTEST, LONGEST, SHARE = 0.1, 0.8, 10.0
"""Seconds between a lane's flushes: SHARE times the duration of the last one times the number of lanes here, between SHORTEST and
LONGEST, so that flushes take a tenth of the time."""
IMPRESSIONS = 5.0
BEHIND = 3.0
"""While the stream is behind, the upper bound rises to the records' delay, up to this many seconds, and the lower one to a tenth
of it: they are stale already, and a hot item is written once in seconds then."""


class _Lane:
    def __init__(self, keys: LaneKeys) -> None:
        self.keys = keys
        self.ticks = Ticks()
        self.items: list[IntArray] = []
        """Rows that have changed since the last flush, each once …"""
        self.pairs: list[IntArray] = []
        """… and those of co-visits …"""
        self.row_count = 0
        """… and how many these are together."""
        self.has_acted = False
        """Whether more than impressions came since the last flush."""
        self.held: set[int] = set()
        """Items whose newest impressions are in Flink's state alone."""
        self.flush_due = 0.0
        self.impressions_due = 0.0
        self.behind = 0.0
        """How late the newest delta came, seconds since its broker time."""
        self.timer_for = 0.0

    @property
    def due(self) -> float:
        return self.flush_due if self.has_acted or self.pairs else self.impressions_due

    def take_rows(self) -> tuple[IntArray, IntArray]:
        """Rows of items and of co-visits that have changed; from now on none has."""
        changed = _joined(self.items), _joined(self.pairs)
        self.items, self.pairs, self.row_count, self.has_acted = [], [], 0, False
        return changed


def _joined(rows: list[IntArray]) -> IntArray:
    return np.concatenate(rows) if rows else np.zeros(0, np.int64)


class ItemFold(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """The item operator (see the module). One element is a `Delta` of one lane of items."""

    def __init__(
        self,
        settings: JobSettings,
        *,
        open_states: Callable[[RuntimeContext], ByteStates] = FlinkStates,
        connect: Connect = Connection,
        time_source: TimeSource = SYSTEM_TIME,
        cancelled: Callable[[], bool] = is_cancelled,
    ) -> None:
        self._settings = settings
        self._open_states = open_states
        self._connect = connect
        self._time = time_source
        self._is_cancelled = cancelled

    def open(self, context: RuntimeContext) -> None:
        require_state(self._settings.state_version)
        tune_interpreter()
        base = Base(Path(self._settings.base))
        self._labels, self._pending_rows = labels_of(base.partitions), PENDING_ROWS // base.partitions
        states = self._open_states(context)
        compile_items()
        items, pairs = ItemKernel(rules_of(base.schema)), PairKernel()
        self._items = RowCache(items, states.map_by_id("items"), base.stored_item, CACHED_ITEMS)
        self._pairs = RowCache(pairs, states.map_by_id("pairs"), base.stored_pairs, CACHED_PAIRS)
        self._deltas = states.list("deltas")
        self._unsent = states.value("unsent")
        settings, subtask = self._settings, subtask_of(context)
        self._writer = FeatureWriter(
            settings.redis,
            settings.generation,
            "items",
            subtask,
            connect=self._connect,
            time_source=self._time,
            is_cancelled=self._is_cancelled,
        )
        self._repeats = Repeats(self._writer, "items", subtask, self._time)
        self._lanes: dict[int, _Lane] = {}

    def close(self) -> None:
        self._writer.close()

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        # The lane is in the message: getting the key from Flink would be a crossing.
        lane = self._lanes.get(self._labels[lane_of_delta(value)]) or self._lane(ctx)
        lane.ticks.keep_up(ctx, self._time.wall_ms())
        lane.behind = (self._time.wall_ms() - self._fold(lane, value)) / 1000
        now = self._time.monotonic()
        if now >= lane.due or lane.row_count >= self._pending_rows:
            self._flush(lane)
            return iter(())
        self._deltas.add(value)
        if lane.timer_for != lane.due:
            lane.timer_for = lane.due
            set_timer(ctx, self._time.wall_ms() + 1 + int((lane.due - now) * 1000))
        return iter(())

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        lane = self._lane(ctx)
        if (lane.items or lane.pairs or lane.held) and self._time.monotonic() >= lane.due:
            self._flush(lane)
        if is_tick(timestamp):
            self._writer.tick()
            self._repeats.poll(timestamp)
            for keys in self._repeats.take(lane.keys):
                self._write_again(lane, keys)
            self._repeats.settle([each.keys for each in self._lanes.values()])
            lane.ticks.go_on(ctx, self._time.wall_ms(), timestamp)
        return iter(())

    def _lane(self, ctx: Any) -> _Lane:
        """Returns the current lane; on first use since the start, repeats the writes that may not have reached Redis."""
        label: int = ctx.get_current_key()
        lane = self._lanes.get(label)
        if lane is None:
            stored = self._unsent.value()
            unsent = [] if stored is None else decode_keys(stored)
            lane = self._lanes[label] = _Lane(LaneKeys(unsent, self._time))
            for data in self._deltas.get():
                self._fold(lane, data)
            self._write_again(lane, unsent)
            lane.ticks.go_on(ctx, self._time.wall_ms())
        return lane

    def _write_again(self, lane: _Lane, keys: Iterable[str]) -> None:
        for key in keys:
            if (item_id := item_of(key)) is not None:
                self._items.kernel.act(self._change_items(lane, _one(item_id), 0))
                lane.has_acted = True
            elif (item_id := item_of_pairs(key)) is not None:
                self._change_pairs(lane, _one(item_id), 0)
        self._flush(lane)

    def _fold(self, lane: _Lane, value: bytes) -> Millis:
        """Fold a message; returns its broker time."""
        delta = read_delta(value)
        if len(delta.events):
            rows = self._change_items(lane, delta.events[:, 0], delta.broker_ts)
            lane.has_acted |= self._items.kernel.fold(rows, delta.events)
        if len(delta.shown):
            rows = self._change_items(lane, delta.shown[:, 0], delta.broker_ts)
            lane.has_acted |= self._items.kernel.fold_shown(rows, delta.shown)
        rows = self._items.rows_of(np.array(list(delta.names), np.int64))
        for row, name in zip(rows.tolist(), delta.names.values(), strict=True):
            self._items.kernel.rename(row, name)
        if len(delta.slots):
            self._pairs.kernel.fold(self._change_pairs(lane, delta.slots[:, 0], delta.broker_ts), delta.slots)
        return delta.broker_ts

    def _change_items(self, lane: _Lane, ids: IntArray, broker_ts: int) -> IntArray:
        """Returns the rows of items that a record of that broker time changes."""
        rows = self._items.rows_of(ids)
        lane.items.append(self._items.kernel.table.change(rows, broker_ts))
        lane.row_count += len(lane.items[-1])
        return rows

    def _change_pairs(self, lane: _Lane, ids: IntArray, broker_ts: int) -> IntArray:
        """Returns the rows of items whose co-visits a record of that broker time changes."""
        rows = self._pairs.rows_of(ids)
        lane.pairs.append(self._pairs.kernel.table.change(rows, broker_ts))
        lane.row_count += len(lane.pairs[-1])
        return rows

    def _flush(self, lane: _Lane) -> None:
        began = self._time.monotonic()
        items, pairs = lane.take_rows()
        writes = self._item_writes(lane, items)
        if all_due := began >= lane.impressions_due:
            writes |= self._held_writes(lane)
        self._pairs.store(pairs)
        writes |= _writes_of(pairs_key, self._pairs.kernel, pairs, self._pairs.kernel.neighbours(pairs))
        self._deltas.clear()
        lane.keys.put(self._writer, writes.keys() | {item_key(item_id) for item_id in lane.held})
        self._unsent.update(encode(list(lane.keys.unsent)))
        self._writer.put(writes)
        now = self._time.monotonic()
        lane.flush_due = now + pause((now - began) * len(self._lanes), lane.behind)
        if all_due:
            lane.impressions_due = now + IMPRESSIONS

    def _item_writes(self, lane: _Lane, rows: IntArray) -> dict[str, Write]:
        """Store items; returns what is to be written of them now. What is not, waits with the lane."""
        kernel, states = self._items.kernel, self._items.store(rows)
        acted = kernel.take_acted(rows)
        lane.held -= set(kernel.table.items[rows[acted]].tolist())
        lane.held |= set(kernel.table.items[rows[~acted]].tolist())
        return _writes_of(item_key, kernel, rows[acted], compress(states, acted.tolist()))

    def _held_writes(self, lane: _Lane) -> dict[str, Write]:
        """What is to be written of the items that were only shown."""
        rows = self._items.rows_of(np.array(sorted(lane.held), np.int64))
        lane.held.clear()
        kernel = self._items.kernel
        ids, ns = kernel.table.items[rows].tolist(), kernel.ns(rows).tolist()
        return {  # written late on purpose: how late is not measured
            item_key(item_id): StateWrite(n, 0, state)
            for item_id, n, state in zip(ids, ns, kernel.states(rows), strict=True)
        }


def _one(item_id: int) -> IntArray:
    return np.array([item_id], np.int64)


def _writes_of(
    key_of: Callable[[int], str], kernel: ItemKernel | PairKernel, rows: IntArray, values: Iterable[bytes]
) -> dict[str, Write]:
    ids, ns, times = (
        column.tolist() for column in (kernel.table.items[rows], kernel.ns(rows), kernel.table.broker_ts[rows])
    )
    return {
        key_of(item_id): StateWrite(n, broker_ts, value)
        for item_id, n, broker_ts, value in zip(ids, ns, times, values, strict=True)
    }


def pause(took: float, behind: float) -> float:
    """Returns the seconds until the next flush. took: duration of a flush times the number of lanes; behind: how late the newest
    delta came, seconds since its broker time."""
    longest = max(LONGEST, min(BEHIND, behind))
    return min(longest, max(SHORTEST, SHARE * took, behind / SHARE))
