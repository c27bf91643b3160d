"""All planted faults."""

from typing import Final

from tests.mutations import (
    in_contracts,
    in_item_fold,
    in_items,
    in_online,
    in_operation,
    in_others,
    in_recommending,
    in_serving,
    in_streaming,
    in_user_fold,
    in_users,
)
from tests.mutations.fault import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *in_contracts.FAULTS,
    *in_item_fold.FAULTS,
    *in_items.FAULTS,
    *in_online.FAULTS,
    *in_operation.FAULTS,
    *in_others.FAULTS,
    *in_recommending.FAULTS,
    *in_serving.FAULTS,
    *in_streaming.FAULTS,
    *in_user_fold.FAULTS,
    *in_users.FAULTS,
)
