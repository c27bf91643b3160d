"""Fast producer for the topic `events`, in order within each partition: whole batches, one acknowledgement per batch.

A client with a future, a lock and a callback per record, and checksums in Python, manages some 12,000 a second here. With
batches filled directly, in C, most of the work is making the events themselves.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from features.engines.kafka_address import KafkaAddress
from features.errors import Unavailable
from features.ids import OuterId
from features.keys import EVENTS

BATCH_BYTES: Final = 128 << 10
CLOSE_TIMEOUT: Final = 10.0
BREATHE: Final = 64
"""Records after which the producer yields to the event loop, so that requests and responses proceed while batches fill."""


class EventProducer:
    """Puts records into batches and sends them: acks=all, idempotent, at most one batch per partition in flight.

    So the log has a partition's records in the order of `put`, retries or not. `acknowledged` is called once a batch,
    with the marks of its records, when the broker has them. For use by one task alone.
    """

    def __init__(self, address: KafkaAddress, acknowledged: Callable[[list[int]], None], ack_timeout: float) -> None:
        self._producer = AIOKafkaProducer(
            **address.client_options(), acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
        )
        self._address, self._topic = address, address.topic(EVENTS)
        self._acknowledged = acknowledged
        self._ack_timeout = ack_timeout
        self._filling = [(self._producer.create_batch(), list[int]()) for _ in range(address.partitions)]
        self._on_the_way: dict[int, asyncio.Future[object]] = {}
        self._until_breath = BREATHE

    async def __aenter__(self) -> Self:
        """Raises Unavailable if the broker does not answer."""
        try:
            await asyncio.wait_for(self._producer.start(), self._ack_timeout)
        except (KafkaError, TimeoutError) as error:
            await self._close()
            raise Unavailable(f"Kafka does not answer: {error!r}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._close()

    async def put(self, mark: int, user: OuterId, value: bytes) -> None:
        """Add one record. Raises Unavailable if the broker did not take an earlier batch within `ack_timeout` seconds."""
        partition = self._address.partition_of(user)
        batch, marks = self._filling[partition]
        key = str(user).encode()
        if batch.append(timestamp=None, key=key, value=value) is None:
            await self._ship(partition)
            batch, marks = self._filling[partition]
            batch.append(timestamp=None, key=key, value=value)
        marks.append(mark)
        self._until_breath -= 1
        if not self._until_breath:
            self._until_breath = BREATHE
            await asyncio.sleep(0)

    async def ship(self) -> None:
        """Send all buffered records, full batches or not. Raises like `put`."""
        for partition, (_, marks) in enumerate(self._filling):
            if marks:
                await self._ship(partition)

    async def finish(self) -> None:
        """Wait until everything put is acknowledged. Raises like `put`."""
        await self.ship()
        for partition in list(self._on_the_way):
            await self._settle(partition)

    async def _ship(self, partition: int) -> None:
        await self._settle(partition)
        batch, marks = self._filling[partition]
        self._filling[partition] = (self._producer.create_batch(), [])
        batch.close()
        try:
            future = await self._producer.send_batch(batch, self._topic, partition=partition)
        except KafkaError as error:
            raise Unavailable(f"Kafka did not take the events: {error!r}") from error
        future.add_done_callback(lambda done: self._on_done(done, marks))
        self._on_the_way[partition] = future

    def _on_done(self, done: "asyncio.Future[object]", marks: list[int]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._acknowledged(marks)

    async def _settle(self, partition: int) -> None:
        """Wait for the batch of a partition that is in flight, if any."""
        future = self._on_the_way.pop(partition, None)
        if future is None:
            return
        try:
            # Not wait_for: Python 3.11's loses a cancellation (Ctrl-C) that comes together with the acknowledgement.
            async with asyncio.timeout(self._ack_timeout):
                await future
        except TimeoutError as error:
            raise Unavailable(f"Kafka did not take the events within {self._ack_timeout:.0f} s") from error
        except KafkaError as error:
            raise Unavailable(f"Kafka did not take the events: {error!r}") from error

    async def _close(self) -> None:
        """Close the client: batches in flight may still be acknowledged, buffered ones are dropped."""
        try:
            await asyncio.wait_for(self._producer.stop(), CLOSE_TIMEOUT)
        except (KafkaError, TimeoutError):
            return  # whatever it says now, it was not acknowledged
