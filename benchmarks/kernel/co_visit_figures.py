"""What a co-visit costs the fold of items, and what an item costs whose neighbours and state are written, by the specification
and by the kernel, on the same co-visits."""

import time
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np

from features.errors import Broken
from features.fold.co_visits import Pairs, encode_neighbours, slots_of
from features.fold.state import UserFeatures
from features.fold.user import UserState, fold_user
from features.kernel.pairs.pair_kernel import PairKernel
from features.kernel.row_index import NOT_FOUND
from features.schema.tables import Schema
from features.types import Event, Item, ItemId, Slot

Message = list[Slot]


def messages_of(
    batches: Iterable[Sequence[tuple[Event, int]]], catalogue: dict[ItemId, Item], schema: Schema
) -> list[Message]:
    """The co-visits that batches of events with their n bring, those of a batch together."""
    users: dict[int, UserState] = {}
    messages = []
    for batch in batches:
        message: Message = []
        for event, n in batch:
            state = users.setdefault(event.user_id, UserState(UserFeatures(event.user_id)))
            _, added = fold_user(state, event, catalogue.get(event.item_id), n, schema)
            if added is not None:
                message += slots_of(added)
        messages.append(message)
    return messages


def pair_figures(messages: Sequence[Message]) -> dict[str, float | int | str | None]:
    """µs of this thread. Raises Broken where the kernel gives other bytes than the specification."""
    count = sum(map(len, messages))
    items: dict[ItemId, Pairs] = {}
    began = time.thread_time()
    for message in messages:
        for item_id, *slot in message:
            if item_id not in items:
                items[item_id] = Pairs(item_id)
            items[item_id].fold(*slot)
    folded = time.thread_time()
    plain = [(pairs.encode(), encode_neighbours(pairs.neighbours())) for pairs in items.values()]
    ended = time.thread_time()
    figures = _named("specification", folded - began, count, ended - folded, len(items))

    kernel = PairKernel()
    arrays = [np.array(message, np.int64).reshape(-1, 5) for message in messages]
    began = time.thread_time()
    for slots in arrays:
        rows = kernel.table.find(slots[:, 0])
        missing = rows == NOT_FOUND
        if missing.any():
            for item_id in np.unique(slots[missing, 0]).tolist():
                kernel.add(item_id, None)
            rows = kernel.table.find(slots[:, 0])
        kernel.fold(rows, slots)
    folded = time.thread_time()
    every = kernel.table.find(np.array(list(items), np.int64))
    compiled = list(zip(kernel.states(every), kernel.neighbours(every), strict=True))
    ended = time.thread_time()
    if compiled != plain:
        raise Broken("the kernel gives other co-visits than the specification")
    figures |= _named("kernel", folded - began, count, ended - folded, len(items))
    return figures | {"digest of the pairs of both": blake2b(repr(plain).encode(), digest_size=12).hexdigest()}


def _named(side: str, folding: float, slots: int, writing: float, items: int) -> dict[str, float | int | str | None]:
    return {
        f"{side}, µs a co-visit": folding / slots * 1e6,
        f"{side}, µs an item's state and neighbours": writing / items * 1e6,
    }
