"""The topic `items` in memory."""

from collections.abc import Iterator

from features.types import Millis


class MemoryItems:
    """Records of the topic by offset; `put` adds one. Those before `begin` are gone. It can be read like
    `streaming.operators.items_reader.KafkaItems`."""

    def __init__(self) -> None:
        self.records: list[tuple[Millis, bytes]] = []
        self.begin = 0

    def put(self, value: bytes, ts: Millis = 0) -> int:
        """Add a record that came at `ts`; returns the number of records now."""
        self.records.append((ts, value))
        return len(self.records)

    def first(self) -> int:
        return self.begin

    def end(self) -> int:
        return len(self.records)

    def read(self, start: int, end: int) -> Iterator[tuple[int, Millis, bytes]]:
        return ((offset, *self.records[offset]) for offset in range(start, min(end, len(self.records))))

    def close(self) -> None:
        """Nothing is open."""
