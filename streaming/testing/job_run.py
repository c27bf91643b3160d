"""Runs both operators without Flink, fed batch by batch."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec

from features.kernel.users.event_batch import EventBatch
from features.types import Millis
from streaming.batch_codec import Record, pack_batch
from streaming.lanes import Lanes
from streaming.operators.item_operator import ItemFold
from streaming.operators.user_operator import NewBatch, UserFold
from streaming.settings import JobSettings
from streaming.testing.keyed_state import MemoryStates, Store
from streaming.testing.manual_time import ManualTime
from streaming.testing.memory_items import MemoryItems
from streaming.testing.memory_log import MemoryLog
from streaming.testing.timer_queue import TimerQueue
from streaming.testing.unsteady_redis import UnsteadyRedis

Checkpoint = tuple[Store, Store]
"""States and timers of users and of items."""


class _Subtask:
    """One instance of an operator, with the keys routed to it."""

    def __init__(self, function: Any, store: Store, timers: TimerQueue, index: int) -> None:
        self.function = function
        self._store = store
        self._key = -1
        service = SimpleNamespace(register_processing_time_timer=lambda at: timers.register(at, self._key))
        self._ctx = SimpleNamespace(get_current_key=lambda: self._key, timer_service=lambda: service)
        function.open(self._context(index))

    def element(self, key: int, value: Any) -> Iterator[Any]:
        self._key = key
        yield from self.function.process_element(value, self._ctx)

    def timer(self, at: Millis, key: int) -> Iterator[Any]:
        self._key = key
        yield from self.function.on_timer(at, self._ctx)

    def _context(self, index: int) -> Any:
        counter = SimpleNamespace(inc=lambda count: None)
        group = SimpleNamespace(counter=lambda name: counter)
        group.add_group = lambda name: group
        task = SimpleNamespace(getIndexOfThisSubtask=lambda: index)
        return SimpleNamespace(
            states=MemoryStates(self._current),
            get_metrics_group=lambda: group,
            _runtime_context=SimpleNamespace(getTaskInfo=lambda: task),
        )

    def _current(self, name: str) -> Callable[[], dict[Any, Any]]:
        keys = self._store.states.setdefault(name, {})
        return lambda: keys.setdefault(self._key, {})


class _Operator:
    """An operator: its subtasks over one store, and their timers."""

    def __init__(self, functions: Iterable[Any], store: Store, lanes: Lanes, time_source: ManualTime) -> None:
        self.store, self._lanes = store, lanes
        self.timers = TimerQueue(store.timers, time_source)
        self.subtasks = [_Subtask(each, store, self.timers, index) for index, each in enumerate(functions)]

    def of(self, label: int) -> _Subtask:
        """Returns the subtask that a key is routed to."""
        return self.subtasks[self._lanes.lane_of[label] * len(self.subtasks) // len(self._lanes)]


class JobRun:
    """Runs the user and the item operator, `parallelism` subtasks each. `outputs` has the rows of each side output ("rejected",
    "rerouted", "samples") in order. Outputs are emitted at once: after a crash they are repeated. `log` ends where it was fed,
    unless a test says otherwise."""

    def __init__(
        self,
        settings: JobSettings,
        time_source: ManualTime,
        redis: UnsteadyRedis,
        parallelism: int = 1,
        items_topic: MemoryItems | None = None,
        new_batch: NewBatch = EventBatch,
    ) -> None:
        self._new_batch = new_batch
        self.settings, self._time, self._redis = settings, time_source, redis
        self._lanes = Lanes(settings.kafka.partitions)
        self._items_topic = items_topic or MemoryItems()
        self.log = MemoryLog()
        self.is_cancelled = False
        """Whether Flink has cancelled the tasks: those that wait then fail."""
        self.outputs: dict[str, list[Any]] = {"rejected": [], "rerouted": [], "samples": []}
        self._start(Store(), Store(), parallelism)
        self.checkpoint()

    def feed(self, records: Iterable[Record]) -> None:
        """Process a batch of records of one partition number."""
        batch = list(records)
        self.log.note(batch)
        label = self._lanes.labels[batch[0].partition]
        self._take(self._users.of(label).element(label, pack_batch(batch)))

    def feed_items(self, number: int, delta: bytes) -> None:
        """Process a message to the items of a lane, as if a user operator had sent it."""
        self._take([(self._lanes.labels[number], delta)])

    def advance(self, seconds: float) -> None:
        """Advance time; timers fire when they are due."""
        until = self._time.monotonic() + seconds
        while (operator := min(self._users, self._items, key=lambda each: each.timers.due)).timers.due <= until:
            self._time.advance(round(operator.timers.due - self._time.monotonic(), 6))
            operator.timers.fire(partial(self._fire, operator))
        self._time.advance(until - self._time.monotonic())

    def checkpoint(self) -> None:
        """Save states and timers of both operators."""
        self.newest_checkpoint = self._users.store.copy(), self._items.store.copy()

    def go_back(self, checkpoint: Checkpoint, whole_until: Millis) -> None:
        """Go on from an older checkpoint, with that setting."""
        self.newest_checkpoint = checkpoint
        self.settings = msgspec.structs.replace(self.settings, whole_until=whole_until)
        self.crash()

    def crash(self, parallelism: int | None = None) -> None:
        """Lose all subtasks and everything not in the checkpoint; new subtasks, `parallelism` or as many as before, go on
        from it."""
        self._redis.drop()
        users, items = self.newest_checkpoint
        self._start(users.copy(), items.copy(), len(self._users.subtasks) if parallelism is None else parallelism)

    def touch_all(self) -> None:
        """Fire a timer of every lane of both operators now."""
        for operator in (self._users, self._items):
            for label in self._lanes.labels:
                operator.timers.register(self._time.wall_ms(), label)
        self.advance(0)

    def state_bytes(self, name: str | None = None) -> int:
        """Returns the bytes in the states of both operators, or in those of one name."""
        return self._users.store.size(name) + self._items.store.size(name)

    def close(self) -> None:
        """Close the operators in order."""
        for subtask in (*self._users.subtasks, *self._items.subtasks):
            subtask.function.close()
        self._redis.drop()

    def _start(self, users: Store, items: Store, parallelism: int) -> None:
        self.settings = msgspec.structs.replace(self.settings, parallelism=parallelism)
        seams: dict[str, Any] = {
            "open_states": lambda context: context.states,
            "connect": self._redis.connect,
            "time_source": self._time,
            "cancelled": lambda: self.is_cancelled,
        }
        items_topic, log = self._items_topic, self.log
        folds = [
            UserFold(
                self.settings,
                connect_items=lambda _: items_topic,
                connect_log=lambda _: log,
                new_batch=self._new_batch,
                **seams,
            )
            for _ in range(parallelism)
        ]
        self._users = _Operator(folds, users, self._lanes, self._time)
        item_folds = [ItemFold(self.settings, **seams) for _ in range(parallelism)]
        self._items = _Operator(item_folds, items, self._lanes, self._time)

    def _fire(self, operator: _Operator, at: Millis, label: int) -> None:
        self._take(operator.of(label).timer(at, label))

    def _take(self, out: Iterable[Any]) -> None:
        for each in out:
            if hasattr(each[0], "tag_id"):
                self.outputs[each[0].tag_id].append(each[1])
            else:
                label, delta = each
                for nothing in self._items.of(label).element(label, delta):
                    raise AssertionError(f"expected nothing from items, got {nothing!r}")
