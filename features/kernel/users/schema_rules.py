"""A home's schema as the arrays that the kernel reads."""

import numpy as np

from features.errors import BadInput
from features.fold.dedupe import REMEMBERED, SEEN_LIMIT
from features.kernel.users.row_types import KIND, Rules
from features.schema.tables import Schema
from features.types import FORGET_USER, PROFILE, UNDO


def rules_of(schema: Schema, remembered: int = REMEMBERED, hidden: int = SEEN_LIMIT) -> Rules:
    """remembered, hidden: how many events and hidden items a user has at most. Raises BadInput for less than one."""
    if min(remembered, hidden) < 1:
        raise BadInput("limits", "at least 1", f"{remembered}, {hidden}")
    kinds = np.zeros(PROFILE, KIND)
    steps: list[tuple[int, int]] = []
    for kind in schema.kinds:
        if kind is None:
            continue
        row = kinds[kind.code]
        row.click, row.repeats, row.hide = kind.click, kind.repeats, kind.hide
        row.steps_start, row.steps_stop = len(steps), len(steps) + len(kind.steps)
        steps += kind.steps
    limits = (schema.unit, schema.together, remembered, hidden)
    return Rules(kinds, np.array(steps, np.int64).reshape(-1, 2), np.array(limits, np.int64))


def plain_kinds(schema: Schema) -> frozenset[int]:
    """Codes of the kinds whose events the kernel folds: those of items."""
    codes = (kind.code for kind in schema.kinds if kind is not None)
    return frozenset(code for code in codes if code not in (UNDO, FORGET_USER))
