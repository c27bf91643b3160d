"""The topic `items` in memory."""

from collections.abc import Iterator


class MemoryItems:
    """Records of the topic by offset; `put` adds one. It can be read like `streaming.operators.items_reader.KafkaItems`."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def put(self, value: bytes) -> int:
        """Add a record; returns the number of records now."""
        self.records.append(value)
        return len(self.records)

    def end(self) -> int:
        return len(self.records)

    def read(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        return iter(list(enumerate(self.records))[start:end])

    def close(self) -> None:
        """Nothing is open."""
