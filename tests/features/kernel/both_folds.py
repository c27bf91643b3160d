"""A user folded by the specification, and by the kernel as the job does it, and the comparison of the two."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from features.arrays import IntArray
from features.fold.dedupe import DedupeMemory, SeenItems
from features.fold.journal import Journal
from features.fold.state import UserFeatures
from features.fold.user import Outcome, UserState, fold_user, store_user, undone_item
from features.kernel.users.event_batch import VERDICTS, EventBatch, fold_lone, is_lone
from features.kernel.users.schema_rules import rules_of
from features.kernel.users.user_kernel import UserKernel
from features.schema.tables import Schema
from features.types import UNDO, Contribution, Event, Item, ItemId
from features.verdicts import APPLIED
from tests.features.strategies import CATALOGUE, USER
from tests.patience import patience


def uncompiled(module: str, expression: str) -> str:
    """What an expression with a function of a module beside this one prints in a process with the compiler off."""
    name = expression.partition("(")[0]
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.features.kernel.{module} import {name}; print({expression})"],
        capture_output=True,
        text=True,
        timeout=patience(300),
        check=True,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    return done.stdout.strip()


def contributions_of(rows: IntArray, names: Mapping[ItemId, str]) -> list[Contribution]:
    """Rows as contributions. names: the ids outside that are text."""
    found = []
    for item_id, ts, kind, centi, sign, weight, key, count, *partners in rows.tolist():
        name = names.get(item_id, "")
        found.append(Contribution(item_id, ts, kind, centi, sign, weight, key, tuple(partners[:count]), name))
    return found


def item_of(state: UserState, event: Event, catalogue: Mapping[int, Item]) -> Item | None:
    item_id = undone_item(state, event) if event.kind == UNDO else event.item_id
    return None if item_id is None else catalogue.get(item_id)


class BySpecification:
    """A user folded event by event, with its journal."""

    catalogue: Mapping[int, Item] = CATALOGUE

    def __init__(self, schema: Schema, memory: DedupeMemory | None = None, seen: SeenItems | None = None) -> None:
        self.state = UserState(UserFeatures(USER), memory, seen)
        self.state.collect_changes()
        self.journal = Journal()
        self.hidden: dict[int, int] = {}
        self.outcomes: list[Outcome] = []
        self._schema = schema

    def take(self, event: Event, n: int) -> None:
        self.outcomes.append(fold_user(self.state, event, item_of(self.state, event, self.catalogue), n, self._schema))
        changes = self.state.drain_changes()
        self.journal.append(changes, self.state.memory.floor)
        self.hidden |= {item_id: until for item_id, _, until in changes.seen}


class ByKernel:
    """A user folded by the kernel, as the job does it; every event whose n `left_over` divides is left to the specification."""

    catalogue: Mapping[int, Item] = CATALOGUE

    def __init__(self, schema: Schema, left_over: int = 0, remembered: int = 4096, hidden: int = 20_000) -> None:
        self.kernel = UserKernel(rules_of(schema, remembered, hidden))
        self.rows = self.kernel.new_user(USER)
        self.journal = Journal()
        self.hidden: dict[int, int] = {}
        self.outcomes: list[Outcome] = []
        self._schema, self._left_over = schema, left_over
        self._batch: EventBatch[int] = EventBatch(self.kernel, schema)

    def take(self, event: Event, n: int) -> None:
        item = self.catalogue.get(event.item_id)
        if self._batch.takes(event) and not (self._left_over and n % self._left_over == 0):
            self._batch.add(USER, self.rows, event, item, n, 0)
            return
        self.flush()
        if is_lone(event) and not (self._left_over and n % self._left_over == 0):
            outcome, records, hidden = fold_lone(self.kernel, self.rows, event, self.catalogue.get, n)
            self.outcomes.append(outcome)
            self.journal.extend(records)
            self.hidden |= {int(item_id): until for item_id, until in hidden}
            return
        state = self.kernel.thaw(self.rows)
        state.collect_changes()
        self.outcomes.append(fold_user(state, event, item_of(state, event, self.catalogue), n, self._schema))
        changes = state.drain_changes()
        self.journal.append(changes, state.memory.floor)
        self.hidden |= {item_id: until for item_id, _, until in changes.seen}
        self.kernel.freeze(self.rows, state)

    def flush(self) -> None:
        folded = self._batch.fold()
        for user in folded.users:
            self.journal.extend(user.records)
            self.hidden |= {int(item_id): until for item_id, until in user.hidden}
        added = iter(contributions_of(folded.contributions, folded.names))
        for verdict in folded.verdicts.tolist():
            self.outcomes.append(Outcome(VERDICTS[verdict], next(added) if VERDICTS[verdict] == APPLIED else None))
        assert next(added, None) is None


def hold_equal(plain: BySpecification, kernel: ByKernel, log: list[Event], size: int) -> None:
    """Fold a log by both, and compare after each batch of that size."""
    for n, event in enumerate(log, start=1):
        plain.take(event, n)
        kernel.take(event, n)
        if n % size == 0 or n == len(log):
            kernel.flush()
            assert kernel.outcomes == plain.outcomes
            assert kernel.kernel.store(kernel.rows) == store_user(plain.state)
            assert (kernel.journal.closed, kernel.journal.open) == (plain.journal.closed, plain.journal.open)
            assert kernel.hidden == plain.hidden
            assert kernel.kernel.hidden(kernel.rows) == {
                item_id: until for item_id, _, until in plain.state.seen.items()
            }
