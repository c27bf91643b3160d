"""The topic `items` in Kafka, as the log of `online.stores.item_topic`: one partition, its offsets the catalogue's versions."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from features.engines.kafka_address import KafkaAddress
from features.errors import Unavailable
from features.keys import ITEMS
from online.kafka.producer import KafkaConnection

BATCH_BYTES: Final = 512 << 10
"""Of a batch: many items wait for few acknowledgements."""
CONNECT_SECONDS: Final = 10.0
YIELD_EVERY: Final = 64
"""Records handed to the producer before control returns to the event loop: it takes them at once while its buffer has room."""


class KafkaItemLog:
    """Appends records by a connection of its own, and reads them by a consumer for each reader. timeout: seconds that one write
    may take."""

    def __init__(self, address: KafkaAddress, timeout: float = 5.0) -> None:
        self._address = address
        self._part = TopicPartition(address.topic(ITEMS), 0)
        self.kafka = KafkaConnection(address, timeout, max_batch_size=BATCH_BYTES)

    def start(self) -> None:
        """Begin connecting; does not wait for it."""
        self.kafka.start()

    async def stop(self) -> None:
        await self.kafka.stop(2)

    async def append(self, records: Sequence[tuple[bytes, bytes]]) -> Awaitable[int]:
        """Hand records (key, value) over to be written, in this order; waits while the producer's buffer is full. What comes back
        gives the offset after the last one, once all are acknowledged. Both raise Unavailable."""
        try:
            sent = []
            for count, (key, value) in enumerate(records, start=1):
                sent.append(await self.kafka.send(self._part.topic, value, 0, key))
                if count % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        except KafkaError as error:
            raise Unavailable(f"Kafka: {type(error).__name__} {error}") from error
        return _end_of(sent)

    async def end(self) -> int:
        """The offset after the newest record. Raises Unavailable."""
        async with self._consumer() as consumer:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    ends = await consumer.end_offsets([self._part])
            except (KafkaError, OSError, TimeoutError) as error:
                raise Unavailable(f"Kafka: {type(error).__name__} {error}") from error
        return int(ends[self._part])

    async def read(self, start: int) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yields (offset, value) of each record from `start` on, or from the oldest one that there is, and of those to come.
        Raises Unavailable."""
        async with self._consumer() as consumer:
            try:
                consumer.assign([self._part])
                consumer.seek(self._part, start)
                async for record in consumer:
                    yield record.offset, record.value or b""
            except (KafkaError, OSError, TimeoutError) as error:
                raise Unavailable(f"Kafka: {type(error).__name__} {error}") from error

    @contextlib.asynccontextmanager
    async def _consumer(self) -> AsyncGenerator[Any, None]:
        consumer = AIOKafkaConsumer(
            **self._address.client_options(), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await consumer.start()
            except (KafkaError, OSError, TimeoutError) as error:
                raise Unavailable(f"Kafka: {type(error).__name__} {error}") from error
            yield consumer
        finally:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await consumer.stop()


async def _end_of(sent: Sequence[Awaitable[Any]]) -> int:
    try:
        return max((written.offset + 1 for written in await asyncio.gather(*sent)), default=0)
    except KafkaError as error:
        raise Unavailable(f"Kafka: {type(error).__name__} {error}") from error
