"""Messages to items, made of contributions."""

from collections.abc import Iterable, Sequence
from typing import Final

from features.kernel.contribution_rows import rows_of
from features.keys import DEFAULT_PARTITIONS
from features.types import Contribution
from streaming.lanes import Lanes
from streaming.operators.item_deltas import deltas_of

LANES: Final = Lanes(DEFAULT_PARTITIONS)


def deltas(
    contributions: Iterable[Contribution],
    lists: Iterable[tuple[int, Sequence[int]]],
    broker_ts: int,
    lanes: Lanes = LANES,
) -> dict[int, bytes]:
    """As `deltas_of` makes them."""
    each = list(contributions)
    names = {contribution.item_id: contribution.item for contribution in each if contribution.item}
    return deltas_of(lanes, rows_of(each), names, lists, broker_ts)
