"""The job's status in Redis, which the API and the command line read: the ledger of each lane, and how
fresh each writer's features are.

A *lane* is what the job folds of one partition. Its hash is written with the features it speaks of and comes out of the
job's own state, so after any crash it counts what was folded, not what was tried.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from features.errors import Broken
from features.units import DAY_S
from features.verdicts import APPLIED, DUPLICATE, LATE, MARKS, REJECTED, REROUTED

OPERATORS: Final = ("users", "items")
"""The operators that write features."""
MAX_SUBTASKS: Final = 64
"""Writers of one operator at most. They are read by name: a search would scan all users' keys."""
FRESH_TTL_S: Final = DAY_S
"""A writer that never comes back is forgotten after a day."""

VERDICTS: Final = (APPLIED, DUPLICATE, LATE, REJECTED, REROUTED, MARKS)
"""Verdicts on a record of `events`: read is the sum of these."""
SERVED_VERDICTS: Final = (APPLIED, DUPLICATE, LATE, REJECTED)
"""Verdicts on a record of `served`: served_read is the sum of these."""


def lane_key(lane: int) -> str:
    """The hash of a lane: the fields of `Lane` by their short names, decimal."""
    return f"job:{lane}"


def lane_keys(lanes: int) -> list[str]:
    """The hashes of so many lanes, in the order of their numbers; `read_lanes` reads what they hold."""
    return [lane_key(number) for number in range(lanes)]


def fresh_key(operator: str, subtask: int) -> str:
    """The string with a writer's FreshnessHistogram as JSON."""
    return f"job:fresh:{operator}:{subtask}"


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """
    generation        fence of what the lane wrote
    next_offset       of `events` in this partition: all records before it are folded
    served_next       of `served` in this partition
    read, …           the ledger of `events`: read = applied + duplicate + late + rejected + rerouted + marks
    served_read, …    the same of `served`
    watermark_ms      newest event time applied; 0 if none was
    broker_ms         when the broker took the newest record folded (wall time); 0 if none was
    open_lists        lists shown that still wait for actions
    samples           samples emitted
    closed_early      lists closed before their time, for want of room
    unmatched         actions whose list was closed, or never came
    items_lost        records of the topic `items` that the lane has known, and that a restart found gone
    """

    generation: int = msgspec.field(name="g")
    next_offset: int = msgspec.field(name="n")
    served_next: int = msgspec.field(name="s", default=0)
    read: int = 0
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    rerouted: int = 0
    marks: int = 0
    served_read: int = 0
    served_applied: int = 0
    served_duplicate: int = 0
    served_late: int = 0
    served_rejected: int = 0
    watermark_ms: int = msgspec.field(name="w", default=0)
    broker_ms: int = msgspec.field(name="b", default=0)
    open_lists: int = msgspec.field(name="lists", default=0)
    samples: int = 0
    closed_early: int = msgspec.field(name="early", default=0)
    unmatched: int = 0
    items_lost: int = 0

    def count(self, verdict: str) -> int:
        """Records of `events` with one of the VERDICTS."""
        value: int = getattr(self, verdict)
        return value

    def served_count(self, verdict: str) -> int:
        """Records of `served` with one of the SERVED_VERDICTS."""
        value: int = getattr(self, f"served_{verdict}")
        return value

    @property
    def balanced(self) -> bool:
        """Whether every record read has exactly one verdict."""
        return self.read == sum(map(self.count, VERDICTS)) and self.served_read == sum(
            map(self.served_count, SERVED_VERDICTS)
        )

    @property
    def progress(self) -> tuple[int, int]:
        """Grows with every record folded; of two sights of a lane the greater is the newer."""
        return self.generation, self.read + self.served_read


def lane_fields(lane: Lane) -> dict[str, int]:
    """The hash to write for a lane."""
    fields: dict[str, int] = msgspec.to_builtins(lane)
    return fields


def read_lane(number: int, fields: Mapping[bytes, bytes]) -> Lane | None:
    """A lane from its hash; None where there is no hash. Fields not known here are ignored.

    Raises Broken, naming key and field, for what is no lane.
    """
    if not fields:
        return None
    try:
        return msgspec.convert({key.decode(): value.decode() for key, value in fields.items()}, Lane, strict=False)
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Broken(f"Redis key {lane_key(number)}: {error}") from error


def read_lanes(hashes: Iterable[Mapping[bytes, bytes]], generation: int | None = None) -> dict[int, Lane]:
    """Lanes by number, from the hashes of `lane_keys` in their order: those that are there and, where a generation is given, of
    that one. Raises Broken as `read_lane` does."""
    lanes = {number: read_lane(number, fields) for number, fields in enumerate(hashes)}
    return {
        number: lane
        for number, lane in lanes.items()
        if lane is not None and (generation is None or lane.generation == generation)
    }
