"""All planted faults."""

from typing import Final

from tests.mutations import (
    in_attaching,
    in_attribution,
    in_contracts,
    in_item_fold,
    in_item_operator,
    in_items,
    in_kernel,
    in_learning,
    in_online,
    in_operation,
    in_others,
    in_own_files,
    in_partitions,
    in_recommending,
    in_redis_cluster,
    in_roles,
    in_serving,
    in_several_servers,
    in_streaming,
    in_supervision,
    in_user_fold,
    in_users,
)
from tests.mutations.fault import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *in_attaching.FAULTS,
    *in_attribution.FAULTS,
    *in_contracts.FAULTS,
    *in_item_fold.FAULTS,
    *in_item_operator.FAULTS,
    *in_items.FAULTS,
    *in_kernel.FAULTS,
    *in_learning.FAULTS,
    *in_online.FAULTS,
    *in_operation.FAULTS,
    *in_others.FAULTS,
    *in_own_files.FAULTS,
    *in_partitions.FAULTS,
    *in_recommending.FAULTS,
    *in_redis_cluster.FAULTS,
    *in_roles.FAULTS,
    *in_serving.FAULTS,
    *in_several_servers.FAULTS,
    *in_streaming.FAULTS,
    *in_supervision.FAULTS,
    *in_user_fold.FAULTS,
    *in_users.FAULTS,
)
