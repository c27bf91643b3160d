"""A lane of users in the user operator: its state in Flink, decoded, and how far it has read."""

from features.errors import Broken
from features.types import Millis
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC, TOPICS, Record
from streaming.log_ends import Ends
from streaming.operators.impression_join import SILENCE_MS, LaneLists
from streaming.operators.stored_state import StoredLane
from streaming.operators.timers import Ticks
from streaming.redis_sink.lane_keys import LaneKeys


class LaneProgress:
    """A lane's state in Flink, decoded, and this subtask's bookkeeping for it."""

    def __init__(self, number: int, stored: StoredLane, lists: LaneLists, keys: LaneKeys) -> None:
        self.number = number
        self.stored = stored
        self.lists = lists
        self.keys = keys
        self.ticks = Ticks()
        self._read = dict.fromkeys(range(len(TOPICS)), 0)
        """Topic → the broker time, ms, of the newest record read, as far as this process knows."""
        self._ended: dict[int, Millis] = {}
        """Topic that was read to its end → the time up to which nothing more was thought to come."""
        self.due = 0.0
        """When pending messages are to be sent …"""
        self.waits = stored.waiting > 0
        """… and whether there are any; a timer is set then."""

    @property
    def time(self) -> Millis:
        """The lane's time: the topics are read independently, so it is that of the one behind."""
        return min(max(at, self._ended.get(topic, 0)) for topic, at in self._read.items())

    def could_be(self, until: Millis) -> Millis:
        """What its time is if both topics have been read to their ends: the newest broker time read, `until` at least."""
        return max(until, *self._read.values(), *self._ended.values())

    def note_ends(self, ends: Ends, until: Millis) -> None:
        """Note which topics have been read to their ends, as these were found later: what was read before of the other topic is
        older than whatever will be read of them."""
        at = self.could_be(until)
        for topic, offset in ((EVENTS_TOPIC, self.stored.n), (SERVED_TOPIC, self.stored.s)):
            if offset >= ends[topic, self.number]:
                self._ended[topic] = at

    def begin(self, record: Record) -> None:
        """Raise Broken where a record lies behind what the lane has read of the topic: folded now it would be folded out of
        order, or twice. The task starts again from its checkpoint, and reads in order."""
        expected = self.stored.n if record.topic == EVENTS_TOPIC else self.stored.s
        if record.offset < expected:
            raise Broken(
                f"topic {TOPICS[record.topic]}, partition {record.partition}: expected offset {expected} or a later one, "
                f"got {record.offset}: records came out of order"
            )

    def end(self, record: Record) -> None:
        """Note that a record was read. One from well before the time up to which nothing was thought to come shows that the wall
        clock was ahead: what was found by it is forgotten."""
        stored, broker_ts = self.stored, record.broker_ts
        if record.topic == EVENTS_TOPIC:
            stored.n = record.offset + 1
        else:
            stored.s = record.offset + 1
        if broker_ts > stored.broker_ts:
            stored.broker_ts = broker_ts
        if broker_ts > self._read[record.topic]:
            self._read[record.topic] = broker_ts
        if broker_ts < self._ended.get(record.topic, 0) - SILENCE_MS:
            self._ended.clear()
