"""Marks of the catalogue: has the job know the items that this process has read in the topic `items`, whoever wrote them."""

import asyncio
import logging
from typing import Final

from aiokafka.errors import KafkaError

from features.contracts.catalogue_mark import write_mark
from features.keys import EVENTS
from online.kafka.producer import KafkaConnection
from online.support.background import end

logger = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two marks: however many items come, each partition gets no more of them."""
TIMEOUT: Final = 10.0
"""Seconds in which a mark has to be acknowledged; then it is written again."""


class CatalogueMarks:
    """Writes a mark into every partition of `events` soon after `note`. Several processes may mark the same version: of two
    marks the larger counts. The connection is started and stopped by who made it."""

    def __init__(self, kafka: KafkaConnection, every: float = EVERY, timeout: float = TIMEOUT) -> None:
        self._kafka, self._every, self._timeout = kafka, every, timeout
        self._version = 0
        self._noted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._write(), name="marks of the catalogue")

    async def stop(self) -> None:
        await end(self._task)

    def note(self, version: int) -> None:
        """Have a version marked: the number of records of the topic `items` that have been read."""
        if version > self._version:
            self._version = version
            self._noted.set()

    async def _write(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._mark(self._version)
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("the catalogue is not marked (%s: %s); trying again", type(error).__name__, error)
                self._noted.set()
            except Exception:
                logger.exception("the catalogue is not marked; trying again")
                self._noted.set()
            await asyncio.sleep(self._every)

    async def _mark(self, version: int) -> None:
        await self._kafka.ready()
        value = write_mark(version)
        address = self._kafka.address
        topic, numbers = address.topic(EVENTS), range(address.partitions)
        futures = [await self._kafka.send(topic, value, number) for number in numbers]
        await asyncio.gather(*futures)
