"""`bench fold`: what an event costs the fold of users, and a co-visit that of items, by the specification and by the kernel, on
the same log.

Copies of MovieLens 100K, and before them, if wanted, events that every user remembers already. Events come in batches of a lane,
as the job has them; at a batch's end the changed users' features and journals are encoded. Both fold the log from nothing, in the
data set's order or shuffled; the digests of what they encode must be equal.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.harness.event_generator import copies
from benchmarks.harness.run_report import Report, work_folder
from benchmarks.kernel.co_visit_figures import messages_of, pair_figures
from features.contracts.admission import Admission
from features.contracts.events import write_event
from features.errors import Broken
from features.fold.journal import Journal
from features.fold.state import UserFeatures, encode_features
from features.fold.user import UserState, fold_user
from features.kernel.compile_kernel import compile_items
from features.kernel.users.event_batch import EventBatch
from features.kernel.users.schema_rules import rules_of
from features.kernel.users.user_kernel import UserKernel
from features.kernel.users.user_rows import UserRows
from features.keys import DEFAULT_PARTITIONS, partition_of
from features.schema.tables import preset_schema
from features.types import VIEW, Event, Item
from features.units import SECOND_MS
from infra.home.paths import Home
from offline.datasets.dataset import DEFAULT, Dataset, open_dataset

Log = list[tuple[Event, int]]
"""Events with their n."""
SCHEMA: Final = preset_schema()
ADMITTED: Final = 20_000
"""Events whose admission is timed."""


class Side(ABC):
    """One way to fold users; `digest` is that of all features and journals so far."""

    def __init__(self, catalogue: dict[int, Item]) -> None:
        self._catalogue = catalogue
        self._digest = blake2b(digest_size=12)

    @abstractmethod
    def fold(self, batch: Log) -> None:
        """Fold a batch, and add what came of it to the digest."""

    @abstractmethod
    def journals(self) -> Iterable[Journal]:
        """The journals of all users."""

    def finish(self) -> None:
        """Add what is left of the journals, their open chunks, to the digest."""
        for journal in self.journals():
            self._digest.update(journal.open)

    def digest(self) -> str:
        return self._digest.hexdigest()

    def _encoded(self, features: bytes, journal: Journal) -> None:
        self._digest.update(features)
        for _, _, data in journal.closed:
            self._digest.update(data)
        journal.closed.clear()


class BySpecification(Side):
    """`features.fold.user`."""

    def __init__(self, catalogue: dict[int, Item]) -> None:
        super().__init__(catalogue)
        self._users: dict[int, tuple[UserState, Journal]] = {}

    def fold(self, batch: Log) -> None:
        changed: dict[int, tuple[UserState, Journal]] = {}
        for event, n in batch:
            user = changed[event.user_id] = self._user(event.user_id)
            state, journal = user
            fold_user(state, event, self._catalogue.get(event.item_id), n, SCHEMA)
            journal.append(state.drain_changes(), state.memory.floor)
        for state, journal in changed.values():
            self._encoded(encode_features(state.features), journal)

    def journals(self) -> Iterable[Journal]:
        return [self._users[user_id][1] for user_id in sorted(self._users)]

    def _user(self, user_id: int) -> tuple[UserState, Journal]:
        user = self._users.get(user_id)
        if user is None:
            user = self._users[user_id] = UserState(UserFeatures(user_id)), Journal()
            user[0].collect_changes()
        return user


class ByKernel(Side):
    """`features.kernel.users`."""

    def __init__(self, catalogue: dict[int, Item]) -> None:
        super().__init__(catalogue)
        self._kernel = UserKernel(rules_of(SCHEMA))
        self._batch: EventBatch[tuple[UserRows, Journal]] = EventBatch(self._kernel, SCHEMA)
        self._users: dict[int, tuple[UserRows, Journal]] = {}

    def fold(self, batch: Log) -> None:
        for event, n in batch:
            user = self._users.get(event.user_id)
            if user is None:
                user = self._users[event.user_id] = self._kernel.new_user(event.user_id), Journal()
            item = self._catalogue.get(event.item_id)
            if not self._batch.takes(event):
                raise Broken(f"expected events that the kernel takes, got {event}")
            self._batch.add(user, user[0], event, item, n, 0)
        for folded in self._batch.fold().users:
            rows, journal = folded.owner
            journal.extend(folded.records)
            self._encoded(rows.features, journal)

    def journals(self) -> Iterable[Journal]:
        return [self._users[user_id][1] for user_id in sorted(self._users)]

    def bytes_an_event(self) -> float:
        """The memory of all users by the events that they remember."""
        users = [rows for rows, _ in self._users.values()]
        return sum(rows.nbytes for rows in users) / sum(int(rows.arrays.user[0].remembered) for rows in users)


def batches_of(events: Iterable[Event], size: int) -> Iterator[Log]:
    """Batches of `size` events of one lane each, as they fill."""
    lanes: list[Log] = [[] for _ in range(DEFAULT_PARTITIONS)]
    counts = [0] * DEFAULT_PARTITIONS
    for event in events:
        lane = partition_of(event.user_id, DEFAULT_PARTITIONS)
        counts[lane] += 1
        lanes[lane].append((event, counts[lane]))
        if len(lanes[lane]) == size:
            yield lanes[lane]
            lanes[lane] = []
    yield from filter(None, lanes)


def past(dataset: Dataset, users: Iterable[int], events: int) -> Iterator[Event]:
    """So many views by each user, a second apart, before the data set's first event."""
    start = dataset.first_ts - events * SECOND_MS
    for user_id in users:
        for number in range(events):
            item_id = dataset.items[number % len(dataset.items)].item_id
            yield Event(f"past:{user_id}:{number}", VIEW, user_id, item_id, 0, "", start + number * SECOND_MS)


def _timed(fold: Callable[[Log], None], batches: Iterable[Log]) -> float:
    """Seconds of this thread."""
    began = time.thread_time()
    for batch in batches:
        fold(batch)
    return time.thread_time() - began


def _admission(events: Sequence[Event]) -> float:
    """µs of this thread that admitting an event takes."""
    admission = Admission(SCHEMA, DEFAULT_PARTITIONS)
    parts = [partition_of(event.user_id, DEFAULT_PARTITIONS) for event in events]
    records = [
        (write_event(event, SCHEMA), str(event.user_id), part) for event, part in zip(events, parts, strict=True)
    ]
    now = max(event.ts for event in events)
    began = time.thread_time()
    for value, key, partition in records:
        admission.admit(value, key, partition, now, now)
    return (time.thread_time() - began) / len(records) * 1e6


def run(events: int, batch: int, remembered: int, runs: int, shuffled: bool, json: Path | None) -> None:
    """Print and save the µs of a processor that an event costs, in `runs` runs over so many events, in batches of `batch`.
    `remembered`: the events that each user remembers before."""
    options = {"events": events, "batch": batch, "remembered": remembered, "runs": runs, "shuffled": shuffled}
    report = Report("fold", options)
    with work_folder() as folder:
        dataset = open_dataset(DEFAULT, Home(folder).data)
        catalogue = {item.item_id: item for item in dataset.items}
        log = list(islice(copies(dataset, -(-events // dataset.rows), shuffled), events))
        batches = list(batches_of(log, batch))
        users = sorted({event.user_id for event in log}) if remembered else []
        before = list(batches_of(past(dataset, users, remembered), 1000))
        warm = ByKernel(catalogue)
        warm.fold(batches[0])
        compile_items()
        messages = messages_of(batches, catalogue, SCHEMA)
        for _ in range(runs):
            figures: dict[str, float | int | str | None] = {"admission, µs": _admission(log[:ADMITTED])}
            kernel = ByKernel(catalogue)
            sides = {"specification": BySpecification(catalogue), "kernel": kernel}
            for name, side in sides.items():
                _timed(side.fold, before)
                figures[f"{name}, µs"] = _timed(side.fold, batches) / len(log) * 1e6
            for side in sides.values():
                side.finish()
            if kernel.digest() != sides["specification"].digest():
                raise Broken(f"the kernel gives other bytes than the specification: {figures}")
            figures["digest of both"] = kernel.digest()
            figures["bytes a remembered event"] = kernel.bytes_an_event()
            report.add(figures | pair_figures(messages))
    report.show()
    report.save(json)
