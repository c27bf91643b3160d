"""New, changed and deleted items: written to the compacted topic `items`, and read from it into every API process' store."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from features.contracts.items import read_item, write_item
from features.errors import BadEvent, Unavailable
from features.keys import ITEMS
from features.types import Item
from online.kafka.producer import KafkaConnection
from online.stores.catalogue_marks import CatalogueMarks
from online.stores.item_store import ItemStore

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
SECONDS_EACH = 0.002
"""Added to the timeout for each item of a call."""
PART = TopicPartition(ITEMS, 0)


class ItemTopic:
    """Writes items by `publish_items`, and reads the topic from the base's version on in a background task; what has been read is
    marked for the job (`online.stores.catalogue_marks`)."""

    def __init__(self, bootstrap: str, store: ItemStore, start: int = 0, timeout: float = 5.0) -> None:
        self._bootstrap, self._store, self._start, self._timeout = bootstrap, store, start, timeout
        self._kafka = KafkaConnection(bootstrap, timeout)
        self._marks = CatalogueMarks(self._kafka)
        self._task: asyncio.Task[None] | None = None
        self._read = -1
        """Offset of the newest record read."""
        self._progressed = asyncio.Condition()
        self.changing = asyncio.Lock()
        """Held by who reads an item, changes it and publishes it, so that no change of this process is lost."""

    async def start(self) -> None:
        self._kafka.start()
        self._marks.start()
        self._task = asyncio.create_task(self._read_topic(), name="new items")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._marks.stop()
        await self._kafka.stop(2)

    async def publish_items(self, items: Sequence[Item]) -> None:
        """Write items, in this order; returns once this process has read them back. Raises Unavailable on timeout: some may have
        been written, and writing them again is safe. Raises BadInput for one that is too large, before any is written."""
        producer: AIOKafkaProducer | None = self._kafka.producer
        if producer is None:
            raise Unavailable("Kafka is not connected")
        values = [write_item(item, self._store.attributes) for item in items]
        try:
            async with asyncio.timeout(self._timeout + SECONDS_EACH * len(items)):
                sent = [
                    await producer.send(ITEMS, value=value, key=str(item.outer or item.item_id).encode(), partition=0)
                    for item, value in zip(items, values, strict=True)
                ]
                end = max([written.offset for written in await asyncio.gather(*sent)], default=-1)
                async with self._progressed:
                    await self._progressed.wait_for(lambda: self._read >= end)
        except (KafkaError, TimeoutError) as error:
            raise Unavailable(f"the items were not taken: {type(error).__name__} {error}") from error

    async def _read_topic(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
            try:
                await asyncio.wait_for(consumer.start(), 10)
                consumer.assign([PART])
                consumer.seek(PART, self._start)
                async for record in consumer:
                    self._apply(record.value or b"")
                    async with self._progressed:
                        self._read = record.offset
                        self._progressed.notify_all()
                    self._marks.note(record.offset + 1)
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("new items are not followed (%s: %s); trying again", type(error).__name__, error)
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(consumer.stop(), 2)

    def _apply(self, value: bytes) -> None:
        try:
            item = read_item(value, self._store.index.schema)
        except BadEvent as error:
            logger.warning("the topic %s holds what is no item: %s", ITEMS, error)
            return
        self._store.put_item(item)
