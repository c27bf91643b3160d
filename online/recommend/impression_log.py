"""Logs shown lists to Kafka in the background, through a bounded queue.

Logging must not delay responses, so lists that do not fit into the queue are dropped, and counted by reason.
"""

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import replace

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from features.contracts.served import SERVED_LIMIT, write_served
from features.errors import BadInput
from features.keys import SERVED, partition_of
from online.kafka.producer import KafkaConnection
from online.recommend.impression import impression_of, weight
from online.recommend.recommender import Recommendation
from online.support import metrics

logger = logging.getLogger(__name__)

SEND_DELAY = 0.005
"""Seconds between a response and the logging of its list: the response is sent first."""
LINGER_MS = 100
"""Kafka linger, ms: a batch of lists costs broker and job about as much as a single one."""


class ImpressionLog:
    """Producer of the topic `served`.

    limit       lists in the queue at most
    byte_limit  approximate memory of the queue at most, bytes
    timeout     seconds that one write may take
    """

    def __init__(self, bootstrap: str, limit: int = 2000, byte_limit: int = 32 << 20, timeout: float = 5.0) -> None:
        # A separate connection, so that events do not queue behind lists.
        self._kafka = KafkaConnection(bootstrap, timeout, max_batch_size=SERVED_LIMIT, linger_ms=LINGER_MS)
        self._limit = limit
        self._byte_limit = byte_limit
        self._queue: deque[tuple[int, Recommendation]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._unsettled = 0
        """Lists in the queue or in flight."""
        self._one_settled = asyncio.Event()
        self._stopping = False
        self._dropping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sending in the background, once Kafka is connected."""
        self._kafka.start()
        self._task = asyncio.create_task(self._send_all(), name="served")

    def put(self, answer: Recommendation) -> None:
        """Queue a list for logging, or drop it. Never waits, never raises."""
        if answer.ranked.query is not None:  # as large as the catalogue, and only needed for the response
            answer = replace(answer, ranked=replace(answer.ranked, query=None))
        size = weight(answer)
        if self._stopping:
            self._drop("stopped")
        elif len(self._queue) >= self._limit or self._bytes + size > self._byte_limit:
            self._drop("full")
        else:
            self._queue.append((size, answer))
            self._bytes += size
            self._unsettled += 1
            self._filled.set()

    async def stop(self, timeout: float = 2.0) -> None:
        """Send the queued lists for at most `timeout` seconds; drop the rest."""
        self._stopping = True
        if self._kafka.producer is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout * 0.75):
                    while self._unsettled:
                        self._one_settled.clear()
                        await self._one_settled.wait()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._kafka.stop(timeout * 0.25)
        left, self._unsettled = self._unsettled, 0
        for _ in range(left):
            self._drop("stopped")

    async def _send_all(self) -> None:
        producer = await self._kafka.ready()
        while True:
            await self._filled.wait()
            self._filled.clear()
            await asyncio.sleep(SEND_DELAY)
            while self._queue:
                size, answer = self._queue.popleft()
                self._bytes -= size
                await self._send(producer, answer)
                await asyncio.sleep(0)  # let requests run between two lists

    async def _send(self, producer: AIOKafkaProducer, answer: Recommendation) -> None:
        """Hand a list to the producer, which waits while its buffer is full; `_on_settled` is called with the result."""
        try:
            future = await producer.send(
                SERVED,
                value=_value_of(answer),
                key=(answer.user or str(answer.user_id)).encode(),
                partition=partition_of(answer.user or answer.user_id),
            )
        except (KafkaError, OSError, TimeoutError) as error:
            self._settle("kafka", error)
        except Exception as error:
            logger.exception("a shown list could not be logged")
            self._settle("error", error)
        else:
            future.add_done_callback(self._on_settled)

    def _on_settled(self, future: asyncio.Future[object]) -> None:
        if future.cancelled():
            self._settle("stopped")
            return
        error = future.exception()
        self._settle(None if error is None else "kafka", error)

    def _settle(self, lost: str | None, error: BaseException | None = None) -> None:
        if not self._unsettled:
            return  # already counted as dropped in `stop`
        self._unsettled -= 1
        self._one_settled.set()
        if lost is None:
            metrics.SERVED_SENT.inc()
            self._dropping = False
        else:
            self._drop(lost, error)

    def _drop(self, reason: str, error: BaseException | None = None) -> None:
        metrics.SERVED_DROPPED.labels(reason).inc()
        if not self._dropping:  # log the first only; the rest are counted
            logger.warning("shown lists are not logged (%s)", reason if error is None else f"{reason}: {error}")
            self._dropping = True


def _value_of(answer: Recommendation) -> bytes:
    served = impression_of(answer)
    try:
        return write_served(served)
    except BadInput:  # too large: log the list without features
        metrics.SERVED_DROPPED.labels("features").inc()
        return write_served(msgspec.structs.replace(served, features=None))
