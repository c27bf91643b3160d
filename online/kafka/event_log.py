"""Writes events to Kafka: acknowledged by the broker, or an error within a timeout."""

import asyncio

from aiokafka.errors import KafkaError

from features.contracts.events import write_event
from features.engines.kafka_address import KafkaAddress
from features.errors import Unavailable
from features.keys import EVENTS
from features.schema.tables import Schema
from features.types import Event
from online.kafka.producer import KafkaConnection


class EventLog:
    """Producer of the topic `events`; `append_events` raises Unavailable while Kafka is down."""

    def __init__(self, address: KafkaAddress, schema: Schema, timeout: float = 5.0) -> None:
        self._schema = schema
        self._kafka = KafkaConnection(address, timeout)
        self._topic = address.topic(EVENTS)
        self._timeout = timeout

    async def answers(self) -> bool:
        """Returns whether Kafka answers."""
        return await self._kafka.answers()

    async def start(self) -> None:
        """Begin connecting; does not wait for it."""
        self._kafka.start()

    async def stop(self) -> None:
        await self._kafka.stop(5)

    async def append_events(self, events: list[Event]) -> dict[int, int]:
        """Write events and wait for the broker's acknowledgement; {user: offset after its newest record}.

        Raises Unavailable if not all are acknowledged within the timeout; a part may then have been written.
        """
        offsets: dict[int, int] = {}
        try:
            async with asyncio.timeout(self._timeout):
                futures = [
                    await self._kafka.send(
                        self._topic,
                        write_event(event, self._schema),
                        self._kafka.address.partition_of(event.outer_user),
                        str(event.outer_user).encode(),
                    )
                    for event in events
                ]
                for event, future in zip(events, futures, strict=True):
                    offset = (await future).offset + 1
                    offsets[event.user_id] = max(offsets.get(event.user_id, 0), offset)
        except TimeoutError as error:
            raise Unavailable(f"Kafka did not acknowledge within {self._timeout:.0f} s") from error
        except KafkaError as error:
            raise Unavailable(f"Kafka: {error}") from error
        return offsets
