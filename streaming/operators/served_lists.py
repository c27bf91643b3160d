"""Shown lists in the user operator: a record of `served` opens a list, its user's events act on it, and once it is closed it is a
sample."""

from collections.abc import Iterable
from typing import Any, Final

from features.base.reader import Base
from features.clock import Clock
from features.contracts.samples import action_of, write_forgotten, write_sample
from features.contracts.served import ServedHead
from features.errors import BadEvent, Unavailable
from features.fold.dedupe import DedupeMemory
from features.fold.impressions import admit_shown, list_memory
from features.types import FORGET_USER, UNDO, Event, Millis
from features.verdicts import APPLIED, REJECTED
from streaming.batch_codec import Record
from streaming.log_ends import LogEnds
from streaming.operators.byte_states import ByteStates
from streaming.operators.impression_join import SILENCE_MS, LaneLists, OpenLists
from streaming.operators.list_references import OpenList
from streaming.operators.side_outputs import rejected, sample_of
from streaming.operators.stored_state import pack_ids, unpack_ids
from streaming.operators.user_lane import LaneProgress
from streaming.time_source import TimeSource

ENDS_EVERY: Final = 10.0
"""Seconds between two looks at where the log ends."""


class ServedLists:
    """The lists of all lanes of a subtask. Methods that take a lane must be called under its key; `store` ends a batch.

    attribution: how long a list is open, ms
    """

    def __init__(
        self,
        states: ByteStates,
        base: Base,
        clock: Clock,
        attribution: Millis,
        log: LogEnds,
        time_source: TimeSource,
    ) -> None:
        self._base, self._schema, self._clock = base, base.schema, clock
        self._open = OpenLists(states, attribution)
        self._memories = states.map_by_id("lists")
        self._log, self._time = log, time_source
        self._ends_due = 0.0
        self._ends_unknown = False

    def lane(self) -> LaneLists:
        """Load the lists of the current lane from Flink's state."""
        return self._open.lane()

    def admit(self, lane: LaneProgress, record: Record, key: str, out: list[Any]) -> ServedHead | None:
        """The list of a record, counted in its lane; None for one that is rejected, or has come before. key: the record's, as
        text."""
        try:
            clock = self._clock.at(record.broker_ts)
            head = self._base.admission.admit_list(record.value, key, record.partition, record.broker_ts, clock)
        except BadEvent as error:
            lane.stored.count_list(REJECTED)
            out.append(rejected(record, str(error)))
            return None
        memory = self._memory(head.user_id)
        verdict = admit_shown(memory, head)
        lane.stored.count_list(verdict)
        if verdict != APPLIED:
            return None
        self._memories.put(head.user_id, _pack_memory(memory))
        return head

    def show(self, lane: LaneProgress, head: ServedHead, record: Record, floor: Millis) -> None:
        """Open a list that was admitted. floor: the time up to which its user wants to be forgotten: a list is logged some time
        after it was made."""
        if head.ts > floor:
            reference = OpenList(head.request_id, head.user_id, head.user, head.ts, record.offset, head.shown)
            self._open.show(lane.lists, reference, record.broker_ts)

    def apply(self, lane: LaneProgress, event: Event, broker_ts: Millis, floor: Millis, out: list[Any]) -> None:
        """Apply an event that was applied to its user, whose floor is as after it: an undo, a wish to be forgotten, or an action
        on a list."""
        if event.kind == UNDO:
            self._open.take_back(lane.lists, event.user_id, event.target)
        elif event.kind == FORGET_USER:
            self._open.forget(lane.lists, event.user_id, floor, broker_ts)
            out.append(sample_of(event.outer_user, write_forgotten(event.outer_user, broker_ts, floor)))
        else:
            self.act(lane, event, broker_ts)

    def act(self, lane: LaneProgress, event: Event, broker_ts: Millis) -> None:
        """Note an event as an action on the list that it names, if it names one."""
        if event.request_id is not None:
            action = action_of(event, self._schema)
            self._open.act(lane.lists, event.user_id, event.request_id, action, broker_ts)

    def due(self, lane: LaneProgress) -> bool:
        """Whether a list is to be closed."""
        return self._open.due(lane.lists, lane.time)

    def close_due(self, lane: LaneProgress, out: list[Any]) -> None:
        """Make samples of the lists that are to be closed."""
        stored = lane.stored
        for reference, actions, closed_ts in self._open.close(lane.lists, lane.time):
            stored.samples += 1
            value = write_sample(
                reference.request_id, reference.user, reference.served, reference.shown, actions, closed_ts
            )
            out.append(sample_of(reference.user, value))
        stored.closed_early += lane.lists.early
        stored.unmatched += lane.lists.unmatched
        lane.lists.early = lane.lists.unmatched = 0

    def store(self, lane: LaneProgress) -> None:
        """Put the lane's lists into Flink's state."""
        self._open.store(lane.lists)

    def poll_ends(self, lanes: Iterable[LaneProgress]) -> None:
        """Where lists wait for a topic that stands still, find out whether it does so at its end: a job that reads an old log may
        stand still in the middle of it."""
        until, now = self._time.wall_ms() - SILENCE_MS, self._time.monotonic()
        waiting = {
            lane.number: lane
            for lane in lanes
            if self._open.due(lane.lists, lane.could_be(until)) and not self._open.due(lane.lists, lane.time)
        }
        if not waiting or now < self._ends_due:
            return
        self._ends_due = now + ENDS_EVERY
        try:
            ends = self._log.read(waiting)
        except Unavailable as error:  # the lists wait on
            if not self._ends_unknown:
                print(f"lists stay open, as nobody knows where the log ends: {error}", flush=True)
            self._ends_unknown = True
            return
        self._ends_unknown = False
        for lane in waiting.values():
            lane.note_ends(ends, until)

    def close(self) -> None:
        """Leave the log."""
        self._log.close()

    def _memory(self, user_id: int) -> DedupeMemory:
        """Returns the dedupe memory of a user's lists, from Flink's state, else from the base."""
        data = self._memories.get(user_id)
        if data is None:
            stored = self._base.user(user_id)
            return list_memory([] if stored is None else stored.lists)
        ids = unpack_ids(data)
        return list_memory(list(zip(ids[::2], ids[1::2], strict=True)))


def _pack_memory(memory: DedupeMemory) -> bytes:
    return pack_ids(number for key, entry in memory.items() for number in (key, entry.ts))
