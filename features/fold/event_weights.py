"""The weights of many events at once, as arrays: what `Schema.weight` and the fold give one by one.

kinds are codes of the schema, centis values in hundredths (0 for a kind that carries none), int [n] each.
"""

import numpy as np

from features.arrays import AnyArray, IntArray
from features.errors import BadInput
from features.fold.state import RECENT
from features.schema.tables import Schema
from features.types import IMPRESSION


def weights_of(schema: Schema, kinds: AnyArray, centis: AnyArray) -> IntArray:
    """int64 [n] weights in units of the schema, as `Schema.weight` gives them. Raises BadInput for a kind that the schema does
    not know."""
    weights = np.zeros(len(kinds), np.int64)
    for code in np.unique(kinds).tolist():
        kind = schema.kinds[code] if 0 <= code < len(schema.kinds) else None
        if kind is None:
            raise BadInput("kind", f"one of {', '.join(schema.names())}", f"code {code}")
        mine = kinds == code
        starts, steps = zip(*kind.steps, strict=True)
        if len(steps) == 1:
            weights[mine] = steps[0]
        else:
            weights[mine] = np.array([0, *steps])[np.searchsorted(starts, centis[mine], side="right")]
    return weights


def kinds_that_count_once(schema: Schema) -> list[int]:
    """Codes of the kinds whose weight does not count again while the same act is among the user's latest."""
    return [kind.code for kind in schema.kinds if kind and not kind.repeats and any(weight for _, weight in kind.steps)]


def without_repeats(schema: Schema, users: IntArray, items: IntArray, kinds: AnyArray, weights: IntArray) -> IntArray:
    """int64 [n] the weights that the fold counts, of all events of these users in their order: 0 for an event of a kind that
    does not repeat, where one of the same kind and item is among the user's RECENT events before it."""
    once = kinds_that_count_once(schema)
    acts = np.flatnonzero(kinds != IMPRESSION)
    order = acts[np.argsort(users[acts], kind="stable")]
    positions = np.flatnonzero(np.isin(kinds[order], once))
    rows = order[positions]
    by_act = np.lexsort((positions, kinds[rows], items[rows], users[rows]))
    positions, rows = positions[by_act], rows[by_act]
    earlier, later = rows[:-1], rows[1:]
    same = (users[earlier] == users[later]) & (items[earlier] == items[later]) & (kinds[earlier] == kinds[later])
    counted = weights.copy()
    counted[later[same & (np.diff(positions) <= RECENT)]] = 0
    return counted
