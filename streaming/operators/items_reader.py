"""Reads the topic `items` as far as the marks of the catalogue demand, and no further: without new items it asks nobody."""

import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from features.contracts.items import item_of_record
from features.errors import Unavailable
from features.fold.catalogue import CatalogueVersions, as_folded
from features.keys import ITEMS
from features.schema.tables import Schema

PATIENCE: Final = 30.0
"""Seconds to wait for what a mark says is there; then the job starts again from its checkpoint."""

ItemRecords = Iterator[tuple[int, bytes]]
"""(offset, value) of records of the topic `items`."""


class ItemsTopic(Protocol):
    """The topic `items`."""

    def end(self) -> int:
        """Returns the offset after the newest record."""
        ...

    def read(self, start: int, end: int) -> ItemRecords:
        """Yields the records from `start` to before `end`. Raises Unavailable."""
        ...

    def close(self) -> None: ...


class ItemsReader:
    """Keeps a catalogue's versions in step with the topic."""

    def __init__(self, versions: CatalogueVersions, schema: Schema, connect: Callable[[], ItemsTopic]) -> None:
        self._versions = versions
        self._schema = schema
        self._connect = connect
        self._topic: ItemsTopic | None = None

    def reach(self, version: int) -> bool:
        """Read the records before `version`; returns False where the topic does not have so many. Raises Unavailable."""
        versions = self._versions
        if version <= versions.end:
            return True
        if self._topic is None:
            self._topic = self._connect()
        if version > self._topic.end():
            return False
        for offset, value in self._topic.read(versions.end, version):
            item = item_of_record(value, self._schema)
            versions.put(offset, None if item is None else as_folded(item))
        versions.pass_to(version)
        return True

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._topic is not None:
            self._topic.close()


class KafkaItems:
    """The topic in Kafka."""

    def __init__(self, bootstrap: str) -> None:
        from kafka import KafkaConsumer, TopicPartition

        self._part = TopicPartition(ITEMS, 0)
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, request_timeout_ms=10_000,
            bootstrap_timeout_ms=int(1000 * PATIENCE),
        )  # fmt: skip
        self._consumer.assign([self._part])

    def end(self) -> int:
        end: int = self._consumer.end_offsets([self._part])[self._part]
        return end

    def read(self, start: int, end: int) -> ItemRecords:
        self._consumer.seek(self._part, start)
        until = time.monotonic() + PATIENCE
        while self._consumer.position(self._part) < end:
            if time.monotonic() > until:
                raise Unavailable(f"{ITEMS}: expected records up to {end} within {PATIENCE:.0f} s")
            for record in self._consumer.poll(timeout_ms=500).get(self._part, []):
                if record.offset < end:
                    yield record.offset, record.value or b""

    def close(self) -> None:
        self._consumer.close()
