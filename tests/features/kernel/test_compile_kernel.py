"""No event waits for anything to be compiled."""

import sys

import numpy as np
from numba.core.dispatcher import Dispatcher

from features.kernel.compile_kernel import compile_items, compile_users
from features.kernel.contribution_rows import OF_ITEM, rows_of, slots_of_rows
from features.kernel.items.item_kernel import ItemKernel
from features.kernel.pairs.pair_kernel import PairKernel
from features.kernel.users.schema_rules import rules_of
from features.types import LIKE, Contribution
from tests.features.fold.test_encodings import long_log
from tests.features.kernel.both_folds import ByKernel
from tests.schemas import MOVIES

CONTRIBUTION = Contribution(1, 1 << 45, LIKE, 0, 1, 256, -(1 << 63), (2,))


def compiled() -> dict[str, int]:
    """How many versions there are of each compiled function of the kernel, by name."""
    modules = [module for name, module in sys.modules.items() if name.startswith("features.kernel")]
    functions = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    return {function.py_func.__qualname__: len(function.signatures) for function in functions}


def test_an_event_finds_all_that_folds_it_compiled() -> None:
    compile_users(MOVIES)
    compile_items()
    before = compiled()
    called = {
        "fold_events",
        "move_events",
        "move_items",
        "count_events",
        "read_journal",
        "write_journal",
        "remembered_item",
    }
    called |= {"fold_slots", "put_pairs", "put_neighbours", "fold_acts", "fold_shown", "put_items"}
    called |= {"find_rows", "change_rows", "put_row", "remove_row"}
    assert called <= {name for name, versions in before.items() if versions}  # the others are parts of these
    kernel = ByKernel(MOVIES)
    for n, event in enumerate(long_log(), start=1):
        kernel.take(event, n)
    kernel.flush()
    kernel.kernel.load(kernel.kernel.store(kernel.rows))
    slots, events = slots_of_rows(rows_of([CONTRIBUTION])), rows_of([CONTRIBUTION])[:, :OF_ITEM].copy()
    pairs, items = PairKernel(limit=4), ItemKernel(rules_of(MOVIES))
    for item_id in (1, 2):
        pairs.add(item_id, None)
        items.add(item_id, None)
    rows = pairs.table.find(slots[:, 0])
    pairs.fold(rows, slots)
    assert list(map(len, (list(pairs.neighbours(rows)), list(pairs.states(rows))))) == [2, 2]
    items.fold(items.table.find(events[:, 0]), events)
    items.fold_shown(rows, np.array([[1, 1, 1, 1], [2, 1, 1, 1]]))
    items.table.settle(items.table.change(rows, 1))
    states = list(items.states(rows))
    items.table.shrink(0)
    items.add(1, states[0])
    assert compiled() == before
