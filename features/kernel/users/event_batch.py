"""A batch of plain events of many users, in the order of the log: one call of the kernel for each user.

Whoever folds a log adds the events that `takes` allows, and folds what it has added before it gives any other record to the
specification: so each user's events keep their order. An undo or a profile is folded alone, after those before it: an undo's item
is that of the event that it takes back.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from struct import Struct
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from features import verdicts
from features.arrays import AnyArray, IntArray
from features.clock import Clock
from features.contracts.events import id_hash
from features.fold.journal import Records
from features.fold.user import Outcome
from features.kernel.users.plain_reader import PlainEvent, PlainReader, plain_event
from features.kernel.users.remembered_events import remembered_item
from features.kernel.users.row_types import APPLIED, EVENT, LATEST, OUTCOME
from features.kernel.users.schema_rules import plain_kinds
from features.kernel.users.user_kernel import Hidden, UserKernel
from features.kernel.users.user_rows import UserRows
from features.schema.tables import Schema
from features.types import NO_ID, PROFILE, UNDO, Contribution, Event, Item, ItemId, Millis, UserId

T = TypeVar("T")

_packed: Final = Struct(f"={EVENT.itemsize // 8}q").pack


class FoldedUser(NamedTuple, Generic[T]):
    """What a batch did to one user by its `events`, so many."""

    owner: T
    events: int
    records: Records
    hidden: Hidden


class Act(NamedTuple):
    """An applied event that names a list; `broker_ts` is when the broker took it, ms."""

    event: Event
    broker_ts: Millis


class Folded(NamedTuple, Generic[T]):
    """What a batch did, user by user.

    users          those of its events
    verdicts       of each event, the first user's first: a number by which VERDICTS names it
    contributions  of the applied events, as rows (`features.kernel.contribution_rows`)
    names          the ids outside of their items that are strings
    acts           those of them that name a list
    """

    users: list[FoldedUser[T]]
    verdicts: IntArray
    contributions: IntArray
    names: dict[ItemId, str]
    acts: list[Act]


VERDICTS: Final = (verdicts.APPLIED, verdicts.DUPLICATE, verdicts.LATE)


class _Run(Generic[T]):
    """The events of one user as EVENTs, and those with texts, by which of them they are."""

    __slots__ = ("events", "owner", "rows", "texts")

    def __init__(self, owner: T, rows: UserRows) -> None:
        self.owner = owner
        self.rows = rows
        self.events: list[bytes] = []
        self.texts: list[tuple[int, Event, Millis]] = []


class EventBatch(Generic[T]):
    """Collects plain events, and folds them. An owner is what the caller knows a user by."""

    def __init__(self, kernel: UserKernel, schema: Schema) -> None:
        self._kernel = kernel
        self._schema = schema
        self._plain = plain_kinds(schema)
        self._runs: dict[int, _Run[T]] = {}

    def takes(self, event: Event) -> bool:
        """Whether an event is plain: the specification folds all others."""
        return event.kind in self._plain and event.ts <= LATEST

    def reader(self, clock: Clock, partitions: int) -> PlainReader:
        """What reads events that the batch takes out of the records of a log."""
        return PlainReader(self._schema, clock, partitions)

    def add(self, owner: T, rows: UserRows, event: Event, item: Item | None, n: int, broker_ts: Millis) -> None:
        """Add an event that `takes` allows, of a user with these rows: `item` and `n` as for `fold_user`."""
        self.add_plain(owner, rows, plain_event(event), item, n, broker_ts)

    def add_plain(
        self, owner: T, rows: UserRows, plain: PlainEvent, item: Item | None, n: int, broker_ts: Millis
    ) -> None:
        """Add a plain event."""
        run = self._runs.get(plain.user_id)
        if run is None:
            run = self._runs[plain.user_id] = _Run(owner, rows)
        start, stop = (0, 0) if item is None else self._kernel.names.list_of(item.tastes)
        if plain.event is not None:
            run.texts.append((len(run.events), plain.event, broker_ts))
        run.events.append(_packed(plain.key, plain.ts, plain.kind, plain.item_id, plain.centi, n, start, stop, 0))

    def __bool__(self) -> bool:
        """Whether there is any event to fold."""
        return bool(self._runs)

    def fold(self) -> Folded[T]:
        """Fold what was added; afterwards the batch is empty."""
        runs, self._runs = list(self._runs.values()), {}
        folded = self._fold(runs)
        self._kernel.names.shorten_lists()
        return folded

    def fold_user(self, user_id: UserId) -> Folded[T]:
        """Fold what was added of one user; afterwards the batch has none of it."""
        run = self._runs.pop(user_id, None)
        return self._fold([] if run is None else [run])

    def _fold(self, runs: Sequence[_Run[T]]) -> Folded[T]:
        batch = _event_rows(chain.from_iterable(run.events for run in runs))
        outcomes = np.zeros(len(batch), OUTCOME)
        users, start = [], 0
        for run in runs:
            events = len(run.events)
            changes = self._kernel.fold(run.rows, batch, start, start + events, outcomes)
            users.append(FoldedUser(run.owner, events, *changes))
            start += events
        rows: IntArray = outcomes.view(np.int64).reshape(len(batch), OUTCOME.itemsize // 8)
        folded = Folded(users, rows[:, 0], rows[rows[:, 0] == APPLIED, 1:], {}, [])
        _take_texts(runs, folded)
        return folded


def _event_rows(fields: Iterable[bytes]) -> AnyArray:
    """EVENTs of their bytes, as the kernel takes them."""
    return np.frombuffer(bytearray().join(fields), np.int64).view(EVENT)


def _take_texts(runs: Iterable[_Run[T]], folded: Folded[T]) -> None:
    """Take what applied events say in texts: the ids outside of their users and items, and which list they were in."""
    start = 0
    for run in runs:
        for which, event, broker_ts in run.texts:
            if folded.verdicts[start + which] != APPLIED:
                continue
            if event.user and event.user != run.rows.outer:
                run.rows.rename(event.user)
            if event.item:
                folded.names[event.item_id] = event.item
            if event.request_id is not None:
                folded.acts.append(Act(event, broker_ts))
        start += len(run.events)


class FoldedEvent(NamedTuple):
    """What an event has become, the journal's new records, and what is hidden now."""

    outcome: Outcome
    records: Records
    hidden: Hidden


def is_lone(event: Event) -> bool:
    """Whether `fold_lone` takes an event."""
    return event.kind in (UNDO, PROFILE)


def fold_lone(
    kernel: UserKernel, rows: UserRows, event: Event, item_of: Callable[[ItemId], Item | None], n: int
) -> FoldedEvent:
    """Fold an event that `is_lone` into a user's rows, when all before it is folded. item_of: the catalogue's item of an id."""
    target = id_hash(event.target) if event.kind == UNDO else 0
    item_id = remembered_item(rows.arrays.events, rows.arrays.event_of, target) if event.kind == UNDO else NO_ID
    item = None if item_id == NO_ID else item_of(item_id)
    tastes = (0, 0) if item is None else kernel.names.list_of(item.tastes)
    fields = _packed(id_hash(event.event_id), event.ts, event.kind, NO_ID, 0, n, *tastes, target)
    outcomes = np.zeros(1, OUTCOME)
    records, hidden = kernel.fold(rows, _event_rows([fields]), 0, 1, outcomes)
    number, *added = outcomes.view(np.int64).tolist()
    verdict = VERDICTS[number]
    if verdict == verdicts.APPLIED and event.user and event.user != rows.outer:
        rows.rename(event.user)
    if verdict == verdicts.APPLIED and event.kind == PROFILE:
        rows.describe(event.target)
    return FoldedEvent(Outcome(verdict, _contribution_of(added)), records, hidden)


def _contribution_of(row: list[int]) -> Contribution | None:
    """A row of contributions as an object; None where it adds nothing."""
    item_id, ts, kind, centi, sign, weight, key, count, *partners = row
    return Contribution(item_id, ts, kind, centi, sign, weight, key, tuple(partners[:count])) if sign else None
