"""The way of an event into Kafka: acknowledged by the broker, or an error within a bound."""

import asyncio
import contextlib
import logging

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from features.errors import Unavailable
from features.events import write_event
from features.names import EVENTS, partition_of
from features.words import Event

logger = logging.getLogger(__name__)


class EventLog:
    """Producer of `events`. Connects in the background and again after a loss; while it can't, `append` says so."""

    def __init__(self, bootstrap: str, within: float = 5.0) -> None:
        self._bootstrap = bootstrap
        self._within = within
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        return self._producer is not None

    async def start(self) -> None:
        """Begin connecting; does not wait for it."""
        self._connecting = asyncio.create_task(self._connect(), name="kafka-connect")

    async def _connect(self) -> None:
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                request_timeout_ms=int(self._within * 1000),
                metadata_max_age_ms=30_000,
                max_request_size=2 << 20,
            )
            try:
                await asyncio.wait_for(producer.start(), 10)
                self._producer = producer
                return
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("Kafka at %s is not there (%s); trying again", self._bootstrap, error)
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(producer.stop(), 2)
                await asyncio.sleep(0.5)

    async def stop(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        if self._producer is not None:
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(self._producer.stop(), 5)

    async def append(self, events: list[Event]) -> dict[int, int]:
        """Write events and wait for the broker's word; {user: offset after its newest record}.

        Raises Unavailable if not all are acknowledged within the bound; a part may then have been written.
        """
        producer = self._producer
        if producer is None:
            raise Unavailable("Kafka is not connected")
        places: dict[int, int] = {}
        try:
            async with asyncio.timeout(self._within):
                futures = [
                    await producer.send(
                        EVENTS,
                        value=write_event(event),
                        key=str(event.user_id).encode(),
                        partition=partition_of(event.user_id),
                    )
                    for event in events
                ]
                for event, future in zip(events, futures, strict=True):
                    place = (await future).offset + 1
                    places[event.user_id] = max(places.get(event.user_id, 0), place)
        except TimeoutError as error:
            raise Unavailable(f"Kafka did not acknowledge within {self._within:.0f} s") from error
        except KafkaError as error:
            raise Unavailable(f"Kafka: {error}") from error
        return places
