"""The way of a shown list into Kafka: a bounded queue that nobody waits for.

A list is worth less than an answer in time, so what does not fit is dropped, and counted by reason.
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

AFTER = 0.005
"""Seconds between an answer and the work of logging it: the answer goes out first."""


TOGETHER_MS = 100
"""Lists of so many milliseconds go to Kafka together: each alone would cost broker and job as much as all of them."""


class ImpressionLog:
    """
    limit       lists in the queue
    byte_limit  bytes that these lists hold in memory, roughly
    within      seconds that one write may take
    """

    def __init__(self, bootstrap: str, limit: int = 2000, byte_limit: int = 32 << 20, timeout: float = 5.0) -> None:
        # A connection of its own: on that of the events, an event would queue behind lists.
        self._kafka = KafkaConnection(bootstrap, timeout, max_batch_size=SERVED_LIMIT, linger_ms=TOGETHER_MS)
        self._limit = limit
        self._byte_limit = byte_limit
        self._queue: deque[tuple[int, Recommendation]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._unsettled = 0
        """Lists in the queue or on their way."""
        self._one_settled = asyncio.Event()
        self._stopping = False
        self._dropping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send, as soon as Kafka is there."""
        self._kafka.start()
        self._task = asyncio.create_task(self._send_all(), name="served")

    def put(self, answer: Recommendation) -> None:
        """Log a list some time soon, or drop it. Never waits, never raises."""
        if answer.ranked.query is not None:  # it holds all of a catalogue, and was for the answer alone
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
        """Send what is in the queue, for at most `within` seconds; what is left then is dropped."""
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
            await asyncio.sleep(AFTER)
            while self._queue:
                size, answer = self._queue.popleft()
                self._bytes -= size
                await self._send(producer, answer)
                await asyncio.sleep(0)  # requests have their turn between two lists

    async def _send(self, producer: AIOKafkaProducer, answer: Recommendation) -> None:
        """Give a list to the producer, which has room for a few; `_on_settled` hears of its end."""
        try:
            future = await producer.send(
                SERVED,
                value=_value_of(answer),
                key=str(answer.user_id).encode(),
                partition=partition_of(answer.user_id),
            )
        except (KafkaError, OSError, TimeoutError) as error:
            self._settle("kafka", error)
        except Exception as error:
            logger.exception("a shown list could not be logged")
            self._settle("error", error)
        else:
            future.add_done_callback(self._on_settled)

    def _on_settled(self, future: asyncio.Future[object]) -> None:
        error = future.exception()
        self._settle(None if error is None else "kafka", error)

    def _settle(self, lost: str | None, error: BaseException | None) -> None:
        if not self._unsettled:
            return  # was given up in `stop`
        self._unsettled -= 1
        self._one_settled.set()
        if lost is None:
            metrics.SERVED_SENT.inc()
            self._dropping = False
        else:
            self._drop(lost, error)

    def _drop(self, reason: str, error: BaseException | None = None) -> None:
        metrics.SERVED_DROPPED.labels(reason).inc()
        if not self._dropping:  # one line for the first; the rest are counted
            logger.warning("shown lists are not logged (%s)", reason if error is None else f"{reason}: {error}")
            self._dropping = True


def _value_of(answer: Recommendation) -> bytes:
    served = impression_of(answer)
    try:
        return write_served(served)
    except BadInput:  # hundreds of genres: what was shown still counts
        metrics.SERVED_DROPPED.labels("features").inc()
        return write_served(msgspec.structs.replace(served, features=None))
