"""Folds a few events of made-up users and items, so that all of the kernel is compiled, or read from where it was kept, before an
event waits for it. As a program it does so beside the making of a home's first base."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

import numpy as np

from features.arrays import IntArray
from features.fold.state import UserFeatures
from features.kernel.items.item_kernel import ItemKernel
from features.kernel.pairs.pair_kernel import PairKernel
from features.kernel.users.event_batch import EventBatch, fold_lone
from features.kernel.users.schema_rules import rules_of
from features.kernel.users.user_kernel import UserKernel
from features.schema.tables import Schema, preset_schema
from features.types import NO_ID, UNDO, Event, Item

_STACK: Final = 64 << 20
"""Bytes."""
_TIMEOUT: Final = 600.0
"""Seconds for all of the kernel on a slow machine; it takes half a minute."""


def compile_users(schema: Schema) -> None:
    """Fold, undo, store and load a user under a schema."""
    _with_room(lambda: _fold_a_user(schema))


def compile_items() -> None:
    """Fold, store and load the features and co-visits of an item."""
    _with_room(_fold_an_item)


def _with_room(compile_: Callable[[], None]) -> None:
    """Run it in a thread with a stack that a compiler has room in: the threads of Flink's tasks have too little. Raises what it
    raises, TimeoutError if it does not end in time."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            compile_()
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)

    before = threading.stack_size(_STACK)
    try:
        threading.Thread(target=run, name="compile", daemon=True).start()
    finally:
        threading.stack_size(before)
    done.result(_TIMEOUT)


def _fold_a_user(schema: Schema) -> None:
    kernel = UserKernel(rules_of(schema))
    batch: EventBatch[int] = EventBatch(kernel, schema)
    rows = kernel.new_user(UserFeatures(1).user_id)
    kind = next(kind.code for kind in schema.kinds if kind is not None)
    for _ in range(2):
        batch.add(1, rows, Event("event", kind, 1, 1, 0, "", 1), Item(1, "", tastes=("taste",)), 1, 1)
        fold_lone(kernel, rows, Event("undo", UNDO, 1, NO_ID, 0, "event", 1), lambda _: None, 1)
        for _ in batch.fold().users:
            rows = kernel.load(kernel.store(rows))
            rows.free_events = rows.free_items = 0  # so that the next fold moves them


def _fold_an_item() -> None:
    items, pairs = ItemKernel(rules_of(preset_schema())), PairKernel()
    ids: IntArray = np.zeros(1, np.int64)
    for kernel in (items, pairs):
        rows = np.array([kernel.add(0, None)], np.int64)
        for _ in kernel.states(rows):
            kernel.table.find(ids)
        kernel.table.settle(kernel.table.change(rows, 1))
        kernel.table.shrink(0)
    rows = np.array([items.add(1, None)], np.int64)
    items.fold(rows, np.array([[1, 1, 1, 0, 1, 1]], np.int64))
    items.fold_shown(rows, np.array([[1, 1, 1, 1]], np.int64))
    rows = np.array([pairs.add(1, None)], np.int64)
    pairs.fold(rows, np.array([[1, 1, 1, 2, 1]], np.int64))
    for _ in pairs.neighbours(rows):
        pass


def compile_kernel() -> None:
    """Compile, or read, all of it."""
    compile_users(preset_schema())
    compile_items()


if __name__ == "__main__":
    compile_kernel()
