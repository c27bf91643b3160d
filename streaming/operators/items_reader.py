"""Reads the topic `items` as far as the marks of the catalogue demand, and no further: without new items it asks nobody."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from kafka import TopicPartition
from kafka.errors import KafkaError

from features.contracts.items import item_of_record
from features.engines.kafka_address import KafkaAddress
from features.engines.kafka_consumer import open_consumer
from features.errors import Unavailable
from features.fold.catalogue import CatalogueVersions, as_folded
from features.keys import ITEMS
from features.schema.tables import Schema
from features.types import Millis

PATIENCE: Final = 30.0
"""Seconds without a record that a mark says is there; then the job starts again from its checkpoint."""
CANCEL_EVERY: Final = 1_000
"""Records that are read before it is seen whether the task was cancelled."""

ItemRecords = Iterator[tuple[int, Millis, bytes]]
"""(offset, when the broker took it, value) of records of the topic `items`."""


class ItemsTopic(Protocol):
    """The topic `items`."""

    def first(self) -> int:
        """Returns the offset of the oldest record; the end, without any."""
        ...

    def end(self) -> int:
        """Returns the offset after the newest record."""
        ...

    def read(self, start: int, end: int) -> ItemRecords:
        """Yields the records from `start` to before `end`. Raises Unavailable."""
        ...

    def close(self) -> None: ...


class ItemsReader:
    """Keeps a catalogue's versions in step with the topic. Of one that was cut it takes what is left, and says so."""

    def __init__(
        self,
        versions: CatalogueVersions,
        schema: Schema,
        connect: Callable[[], ItemsTopic],
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """is_cancelled: says whether the task was cancelled: a long topic is read in a call past which no cancel comes."""
        self._versions = versions
        self._schema = schema
        self._connect = connect
        self._is_cancelled = is_cancelled
        self._topic: ItemsTopic | None = None
        self.begin = 0
        """The offset before which records were found to be gone."""

    def reach(self, version: int) -> bool:
        """Read the records before `version`; returns False where the topic does not have so many. Raises Unavailable."""
        versions = self._versions
        if version <= versions.end:
            return True
        topic = self._open()
        if version > topic.end():
            return False
        start = max(versions.end, min(version, topic.first()))
        if start > versions.end:
            self.begin = start
            _report_lost(versions.end, start)
        for offset, ts, value in topic.read(start, version):
            if offset % CANCEL_EVERY == 0 and self._is_cancelled():
                raise Unavailable(f"topic {ITEMS}: the task was cancelled at {offset}, before {version}")
            item = item_of_record(value, self._schema)
            versions.put(offset, ts, None if item is None else as_folded(item))
        versions.arrivals.pass_to(version)
        return True

    def reach_again(self, version: int) -> int:
        """Read as `reach` what was known before; returns how far that is known still. Raises Unavailable."""
        if self.reach(version):
            return version
        self.reach(min(version, self._open().end()))
        known = min(version, self._versions.end)
        if known < version:
            _report_lost(known, version)
        return known

    def lost(self, version: int, begin: int) -> int:
        """How many records before `version`, which were there once, are gone, once as many as are left have been read; those
        before `begin` were gone when they were to be read first, so nothing was made with them."""
        versions = self._versions
        return max(0, min(version, self.begin) - max(versions.start, begin)) + max(0, version - versions.end)

    def _open(self) -> ItemsTopic:
        if self._topic is None:
            self._topic = self._connect()
        return self._topic

    def allows(self, version: int, ts: Millis) -> bool:
        """Read as `reach`; returns whether a mark that came at `ts` may name the version."""
        return self.reach(version) and self._versions.arrivals.holds(version, ts)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._topic is not None:
            self._topic.close()


def _report_lost(start: int, end: int) -> None:
    print(
        f"topic {ITEMS}: expected its records from {start} to before {end}, got none of them: it was cut, or made anew; "
        "events are folded with the items that are left, and `./martlet rebuild` folds all of the log with them",
        flush=True,
    )


class KafkaItems:
    """The topic in Kafka. Its methods raise Unavailable where the broker does not answer."""

    def __init__(self, address: KafkaAddress, patience: float = PATIENCE) -> None:
        self._part = TopicPartition(address.topic(ITEMS), 0)
        self._patience = patience
        with _named():
            self._consumer = open_consumer(
                address, request_timeout_ms=10_000, bootstrap_timeout_ms=int(1000 * patience)
            )
            self._consumer.assign([self._part])

    def first(self) -> int:
        with _named():
            first: int = self._consumer.beginning_offsets([self._part])[self._part]
            return first

    def end(self) -> int:
        with _named():
            end: int = self._consumer.end_offsets([self._part])[self._part]
            return end

    def read(self, start: int, end: int) -> ItemRecords:
        with _named():
            self._consumer.seek(self._part, start)
            heard = time.monotonic()
            while (at := self._consumer.position(self._part)) < end:
                records = self._consumer.poll(timeout_ms=500).get(self._part, [])
                for record in records:
                    if record.offset < end:
                        yield record.offset, record.timestamp, record.value or b""
                if records:  # how long who asked took with them does not count
                    heard = time.monotonic()
                elif time.monotonic() - heard > self._patience:
                    raise Unavailable(f"topic {ITEMS}: nothing came for {self._patience:.0f} s at {at}, before {end}")

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def _named() -> Iterator[None]:
    """Raise what Kafka's client raises as Unavailable."""
    try:
        yield
    except KafkaError as error:
        raise Unavailable(f"topic {ITEMS}: {error!r}") from error
