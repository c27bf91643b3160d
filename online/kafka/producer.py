"""The Kafka producer of every topic that the API writes."""

import asyncio
import logging
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from features.engines.kafka_address import KafkaAddress
from features.errors import Unavailable
from online.support.background import end

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
LAST_WRITES: Final = 120.0
"""Seconds that a producer which was replaced has to write what it was given before."""
RENEW_EVERY: Final = 1.0
"""Seconds between two new producers at least: writes that no producer can make must not cost the brokers a connection each."""
PROBE_SECONDS: Final = 1.0
"""Kafka has this long to answer who wants to know whether it does."""
PROBE_EVERY: Final = 2.0
"""Seconds from an answer to the next question."""
KNOWN_SECONDS: Final = 5.0
"""What is known for so long is no answer any more."""
OF_THE_RECORD: Final = (KafkaTimeoutError, MessageSizeTooLargeError)
"""Errors of handing a record over after which the producer is as good as before: no room in time, or the record is too large."""
A_REQUEST: Final = 0.4
"""Part of a write's time after which a broker that says nothing is given up: its successor may still take the write in time."""


class KafkaConnection:
    """An idempotent producer that connects in the background, and is replaced where it can't go on.

    A batch that the broker has refused for good leaves a gap in the numbers of its partition's records, after which the broker
    takes none from that producer. The next producer begins anew.

    address  where Kafka is
    timeout  seconds that one write may take, with several tries
    options  further options of AIOKafkaProducer

    Raises BadInput for files of TLS that can't be used.
    """

    def __init__(self, address: KafkaAddress, timeout: float, **options: Any) -> None:
        self.address = address
        self._options = {
            **address.client_options(),
            "acks": "all",
            "enable_idempotence": True,
            "request_timeout_ms": int(timeout * A_REQUEST * 1000),
            "metadata_max_age_ms": 30_000,
            "max_request_size": 2 << 20,
            **options,
        }
        self._connecting: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self._replaced: set[asyncio.Task[None]] = set()
        """Closing producers: what they were given before may be written yet."""
        self._probing: asyncio.Task[None] | None = None
        self._known, self._known_at = False, 0.0
        """Whether Kafka answers, and when that was seen."""

    @property
    def connected(self) -> bool:
        """Whether there has been a first connection."""
        return self._producer is not None

    def start(self) -> None:
        """Begin connecting; does not wait for it."""
        self._connecting = asyncio.create_task(self._connect(), name="kafka-connect")

    async def ready(self) -> None:
        """Wait for the first connection, without a limit: for background tasks only."""
        await self._connected.wait()

    async def answers(self) -> bool:
        """Returns whether Kafka answers, as is known since KNOWN_SECONDS at most: only who has not wanted to know for that long
        waits for the answer."""
        if self._producer is None:
            return False
        age = asyncio.get_running_loop().time() - self._known_at
        if age >= PROBE_EVERY and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe(self._producer), name="kafka-probe")
        if age >= KNOWN_SECONDS and self._probing is not None:
            await asyncio.shield(self._probing)  # others wait for it, too
        return self._known

    async def _probe(self, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await producer.client.fetch_all_metadata()
        except (KafkaError, OSError, TimeoutError):
            self._note(False)
        else:
            self._note(True)

    def _note(self, answers: bool) -> None:
        self._known, self._known_at = answers, asyncio.get_running_loop().time()

    async def send(self, topic: str, value: bytes, partition: int, key: bytes | None = None) -> "asyncio.Future[Any]":
        """Hand a record over; waits while the producer's buffer is full. The future gives the record's metadata once the broker
        has acknowledged it. Raises Unavailable before the first connection; both raise KafkaError."""
        producer = self._producer
        if producer is None:
            raise Unavailable("Kafka is not connected")
        try:
            sent: asyncio.Future[Any] = await producer.send(topic, value=value, key=key, partition=partition)
        except OF_THE_RECORD:
            raise
        except KafkaError as error:
            self._replace(producer, error)
            raise
        sent.add_done_callback(partial(self._on_settled, producer))
        return sent

    def _on_settled(self, producer: AIOKafkaProducer, sent: "asyncio.Future[Any]") -> None:
        if not sent.cancelled() and (error := sent.exception()) is not None:
            self._replace(producer, error)

    def _replace(self, producer: AIOKafkaProducer, error: BaseException) -> None:
        """Have another producer connect, unless one does or `producer` is no longer in use."""
        if producer is self._producer and self._connecting is not None and self._connecting.done():
            logger.warning("Kafka refused a record (%s: %s); connecting anew", type(error).__name__, error)
            self._connecting = asyncio.create_task(self._connect(RENEW_EVERY), name="kafka-reconnect")

    async def _connect(self, delay: float = 0.0) -> None:
        await asyncio.sleep(delay)
        while True:
            producer = AIOKafkaProducer(**self._options)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):  # not wait_for, which loses a cancellation with an error
                    await producer.start()
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("Kafka at %s is not there (%s); trying again", self.address.bootstrap, error)
                await _close(producer, CLOSE_SECONDS)
                await asyncio.sleep(0.5)
                continue
            before, self._producer = self._producer, producer
            self._note(True)
            self._connected.set()
            if before is not None:
                closing = asyncio.create_task(_close(before, LAST_WRITES), name="kafka-close")
                self._replaced.add(closing)
                closing.add_done_callback(self._replaced.discard)
            return

    async def stop(self, timeout: float) -> None:
        """Flush and close the producer, and those before it; gives up after `timeout` seconds. Nothing is sent any more."""
        connecting, self._connecting = self._connecting, None
        await end(connecting)
        probing, self._probing = self._probing, None
        await end(probing)
        if self._producer is not None:
            await _close(self._producer, timeout)
        await end(*self._replaced)


async def _close(producer: AIOKafkaProducer, timeout: float) -> None:
    """Flush and close a producer. One that is cut off after `timeout` seconds goes on trying to write, and has its connections
    until the process ends."""
    try:
        async with asyncio.timeout(timeout):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        logger.debug("a producer is not closed in order: %r", error)
    except Exception:  # the next one has to connect all the same
        logger.exception("a producer is not closed in order")
