"""The Kafka producer of every topic that the API writes."""

import asyncio
import contextlib
import logging
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from features.engines.kafka_address import KafkaAddress
from online.support.background import end

logger = logging.getLogger(__name__)


class KafkaConnection:
    """An idempotent producer that connects, and reconnects, in the background.

    address  where Kafka is
    timeout  seconds that one write may take
    options  further options of AIOKafkaProducer

    Raises BadInput for files of TLS that can't be used.
    """

    def __init__(self, address: KafkaAddress, timeout: float, **options: Any) -> None:
        self.address = address
        self._options = {
            **address.client_options(),
            "acks": "all",
            "enable_idempotence": True,
            "request_timeout_ms": int(timeout * 1000),
            "metadata_max_age_ms": 30_000,
            "max_request_size": 2 << 20,
            **options,
        }
        self._connecting: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self.producer: AIOKafkaProducer | None = None
        """None until the first connection."""

    def start(self) -> None:
        """Begin connecting; does not wait for it."""
        self._connecting = asyncio.create_task(self._connect(), name="kafka-connect")

    async def ready(self) -> AIOKafkaProducer:
        """The producer, once connected. Waits without a limit: for background tasks only."""
        await self._connected.wait()
        return self.producer

    async def _connect(self) -> None:
        while True:
            producer = AIOKafkaProducer(**self._options)
            try:
                async with asyncio.timeout(10):  # not wait_for, which loses a cancellation that comes with an error
                    await producer.start()
                self.producer = producer
                self._connected.set()
                return
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("Kafka at %s is not there (%s); trying again", self.address.bootstrap, error)
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(2):
                        await producer.stop()
                await asyncio.sleep(0.5)

    async def stop(self, timeout: float) -> None:
        """Flush and close the producer; gives up after `timeout` seconds."""
        await end(self._connecting)
        if self.producer is not None:
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(self.producer.stop(), timeout)
