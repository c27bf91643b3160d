"""Marks of a base that Redis holds completely: the generation under LOADED_KEY, in a cluster under one key in each slot.

A mark goes where the keys beside it go: with its slot to another server, and with what a server loses.
"""

from features.engines.redis_slots import SLOTS, key_in_slot
from features.keys import LOADED_KEY


def loaded_keys(cluster: bool) -> tuple[str, ...]:
    """The keys of all marks: one, or in a cluster that of each slot, in their order.

    >>> loaded_keys(cluster=False)
    ('loaded',)
    >>> from features.engines.redis_slots import slot_of
    >>> slot_of(loaded_keys(cluster=True)[1234])
    1234
    """
    return tuple(key_in_slot(LOADED_KEY, slot) for slot in range(SLOTS)) if cluster else (LOADED_KEY,)
