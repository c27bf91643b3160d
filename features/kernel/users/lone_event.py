"""An undo or a profile, folded by the kernel apart from the batch of plain events: an undo's item is that of the event that it
takes back, so that one must be folded before."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from features.contracts.events import id_hash
from features.fold.journal import Records
from features.fold.user import Outcome
from features.kernel.users.event_batch import VERDICTS, event_rows, packed
from features.kernel.users.remembered_events import remembered_item
from features.kernel.users.row_types import OUTCOME
from features.kernel.users.user_kernel import Hidden, UserKernel
from features.kernel.users.user_rows import UserRows
from features.types import NO_ID, PROFILE, UNDO, Contribution, Event, Item, ItemId
from features.verdicts import APPLIED


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
    fields = packed(id_hash(event.event_id), event.ts, event.kind, NO_ID, 0, n, *tastes, target)
    outcomes = np.zeros(1, OUTCOME)
    records, hidden = kernel.fold(rows, event_rows([fields]), 0, 1, outcomes)
    number, *added = outcomes.view(np.int64).tolist()
    verdict = VERDICTS[number]
    if verdict == APPLIED and event.user and event.user != rows.outer:
        rows.rename(event.user)
    if verdict == APPLIED and event.kind == PROFILE:
        rows.describe(event.target)
    return FoldedEvent(Outcome(verdict, _contribution_of(added)), records, hidden)


def _contribution_of(row: list[int]) -> Contribution | None:
    """A row of contributions as an object; None where it adds nothing."""
    item_id, ts, kind, centi, sign, weight, key, count, *partners = row
    return Contribution(item_id, ts, kind, centi, sign, weight, key, tuple(partners[:count])) if sign else None
