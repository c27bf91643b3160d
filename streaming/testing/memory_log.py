"""The ends of a log in memory."""

from collections.abc import Iterable

from features.errors import Unavailable
from streaming.batch_codec import EVENTS_TOPIC, SERVED_TOPIC, Record
from streaming.log_ends import Ends


class MemoryLog:
    """A log of which it is known how far it goes: as far as it was fed, or as a test says. It can be read like
    `streaming.log_ends.KafkaLogEnds`."""

    def __init__(self) -> None:
        self.ends: Ends = {}
        self.is_away = False
        """Whether the broker does not answer."""

    def note(self, records: Iterable[Record]) -> None:
        """Note records that the log holds."""
        for record in records:
            part = record.topic, record.partition
            self.ends[part] = max(self.ends.get(part, 0), record.offset + 1)

    def read(self, partitions: Iterable[int]) -> Ends:
        if self.is_away:
            raise Unavailable("the log is away")
        parts = ((topic, each) for each in partitions for topic in (EVENTS_TOPIC, SERVED_TOPIC))
        return {part: self.ends.get(part, 0) for part in parts}

    def close(self) -> None:
        """Nothing is open."""
