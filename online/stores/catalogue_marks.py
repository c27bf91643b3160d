"""Marks of the catalogue: has the job know the items that this process has read in the topic `items`, whoever wrote them."""

import asyncio
import contextlib
import logging
import time
from collections import deque
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
AGAIN: Final = 5.0
"""Seconds after which a version is marked once more. A mark holds if the broker took it after what it names, and of two brokers
one's clock may be behind by as much."""


class CatalogueMarks:
    """Writes a mark into every partition of `events` soon after `note`, and once more later. Several processes may mark the same
    version: of two marks the larger counts. The connection is started and stopped by who made it."""

    def __init__(
        self, kafka: KafkaConnection, every: float = EVERY, timeout: float = TIMEOUT, again: float = AGAIN
    ) -> None:
        self._kafka, self._every, self._timeout, self._again = kafka, every, timeout, again
        self._version = 0
        self._marked: deque[tuple[float, int]] = deque()
        """When each version was marked that is to be marked once more, the newest last: one for each `every` of `again` s."""
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
            await self._due()
            is_noted = self._noted.is_set()
            self._noted.clear()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._mark_again()
                    if is_noted:
                        await self._mark(self._version)
                        self._marked.append((time.monotonic(), self._version))
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("the catalogue is not marked (%s: %s); trying again", type(error).__name__, error)
                self._noted.set()
            except Exception:
                logger.exception("the catalogue is not marked; trying again")
                self._noted.set()
            await asyncio.sleep(self._every)

    async def _due(self) -> None:
        """Wait until a version is noted, or is to be marked once more."""
        left = None if not self._marked else max(self._marked[0][0] + self._again - time.monotonic(), 0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._noted.wait()

    async def _mark_again(self) -> None:
        """Mark the newest of the versions that are due once more: it says what those before it do."""
        until, version = time.monotonic() - self._again, 0
        while self._marked and self._marked[0][0] <= until:
            version = self._marked.popleft()[1]
        if version:
            await self._mark(version)

    async def _mark(self, version: int) -> None:
        await self._kafka.ready()
        value = write_mark(version)
        address = self._kafka.address
        topic, numbers = address.topic(EVENTS), range(address.partitions)
        futures = [await self._kafka.send(topic, value, number) for number in numbers]
        await asyncio.gather(*futures)
