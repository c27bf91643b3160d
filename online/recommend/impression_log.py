"""Logs shown lists to Kafka in the background, through a bounded queue: first all that a list was made of (topic `shown`), then
its head, which says where that lies (topic `served`).

Logging must not delay responses, so lists that do not fit into the queue are dropped, and counted by reason.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from aiokafka.errors import KafkaError
from msgspec import UNSET

from features.contracts.shown_lists import SHOWN_LIMIT, write_shown
from features.engines.kafka_address import KafkaAddress
from features.errors import BadInput
from features.ids import OuterId
from features.keys import SERVED, SHOWN
from online.kafka.producer import KafkaConnection
from online.recommend.impression import head_of, impression_of, user_of, weight
from online.recommend.recommendation import Recommendation
from online.support import metrics
from online.support.background import end

logger = logging.getLogger(__name__)

SEND_DELAY = 0.005
"""Seconds between a response and the logging of its list: the response is sent first."""
LINGER_MS = 50
"""Kafka linger of each of the two records, ms: a batch of lists costs broker and job about as much as a single one."""


@dataclass(frozen=True)
class _Sent:
    """A list whose record is on its way: its user, its head given the record's offset, and the broker's answer to come; None
    where the record could not be sent."""

    user: OuterId
    head: Callable[[int | None], bytes]
    answer: "asyncio.Future[Any] | None"


class ImpressionLog:
    """Producer of the topics `shown` and `served`.

    limit       lists in the queue at most
    byte_limit  approximate memory of the queue at most, bytes
    timeout     seconds that one write may take
    """

    def __init__(
        self, address: KafkaAddress, limit: int = 2000, byte_limit: int = 32 << 20, timeout: float = 5.0
    ) -> None:
        # A separate connection, so that events do not queue behind lists.
        self._shown, self._served = address.topic(SHOWN), address.topic(SERVED)
        self._kafka = KafkaConnection(address, timeout, max_batch_size=SHOWN_LIMIT, linger_ms=LINGER_MS)
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
        self._recorded: asyncio.Queue[_Sent] = asyncio.Queue()
        """Lists whose records were handed over, in that order; `limit` bounds them with the others."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start sending in the background, once Kafka is connected."""
        self._kafka.start()
        self._tasks = [
            asyncio.create_task(self._send_records(), name="shown"),
            asyncio.create_task(self._send_heads(), name="served"),
        ]

    def put(self, answer: Recommendation) -> None:
        """Queue a list for logging, or drop it. Never waits, never raises."""
        if (
            answer.ranked.query is not None or answer.shadow is not None
        ):  # as large as the catalogue, and no part of the record
            answer = replace(answer, ranked=replace(answer.ranked, query=None), shadow=None)
        size = weight(answer)
        if self._stopping:
            self._drop("stopped")
        elif self._unsettled >= self._limit or self._bytes + size > self._byte_limit:
            self._drop("full")
        else:
            self._queue.append((size, answer))
            self._bytes += size
            self._unsettled += 1
            self._filled.set()

    async def stop(self, timeout: float = 2.0) -> None:
        """Send the queued lists for at most `timeout` seconds; drop the rest."""
        self._stopping = True
        if self._kafka.connected:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout * 0.75):
                    while self._unsettled:
                        self._one_settled.clear()
                        await self._one_settled.wait()
        await end(*self._tasks)
        await self._kafka.stop(timeout * 0.25)
        left, self._unsettled = self._unsettled, 0
        for _ in range(left):
            self._drop("stopped")

    async def _send_records(self) -> None:
        await self._kafka.ready()
        while True:
            await self._filled.wait()
            self._filled.clear()
            await asyncio.sleep(SEND_DELAY)
            while self._queue:
                size, answer = self._queue.popleft()
                self._bytes -= size
                await self._send_record(answer)
                await asyncio.sleep(0)  # let requests run between two lists

    async def _send_record(self, answer: Recommendation) -> None:
        """Hand a list's record to the producer, which waits while its buffer is full."""
        user, acknowledged = user_of(answer), None
        try:
            acknowledged = await self._produce(self._shown, user, _record_of(answer))
        except (KafkaError, OSError, TimeoutError) as error:
            self._lose_record("kafka", error)
        except Exception as error:
            logger.exception("what a shown list was made of could not be logged")
            self._lose_record("error", error)
        self._recorded.put_nowait(_Sent(user, head_of(answer), acknowledged))

    async def _send_heads(self) -> None:
        """Send each list's head once its record is acknowledged, or can't be."""
        await self._kafka.ready()
        while True:
            sent = await self._recorded.get()
            try:
                shown = await self._offset_of(sent)
                future = await self._produce(self._served, sent.user, sent.head(shown))
            except (KafkaError, OSError, TimeoutError) as error:
                self._settle("kafka", error)
            except Exception as error:
                logger.exception("a shown list could not be logged")
                self._settle("error", error)
            else:
                future.add_done_callback(self._on_settled)

    async def _offset_of(self, sent: _Sent) -> int | None:
        """The offset of a list's record; None where it is not in the log."""
        if sent.answer is None:
            return None
        try:
            offset = int((await asyncio.shield(sent.answer)).offset)
            return offset if offset >= 0 else None  # after a repeated batch the broker does not say where it lies
        except (KafkaError, OSError, TimeoutError) as error:
            self._lose_record("kafka", error)
            return None

    async def _produce(self, topic: str, user: OuterId, value: bytes) -> "asyncio.Future[Any]":
        return await self._kafka.send(topic, value, self._kafka.address.partition_of(user), str(user).encode())

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

    def _lose_record(self, reason: str, error: BaseException) -> None:
        metrics.SHOWN_DROPPED.labels(reason).inc()
        logger.debug("a list is logged without what it was made of (%s: %s)", reason, error)

    def _drop(self, reason: str, error: BaseException | None = None) -> None:
        metrics.SERVED_DROPPED.labels(reason).inc()
        if not self._dropping:  # log the first only; the rest are counted
            logger.warning("shown lists are not logged (%s)", reason if error is None else f"{reason}: {error}")
            self._dropping = True


def _record_of(answer: Recommendation) -> bytes:
    shown = impression_of(answer)
    try:
        return write_shown(shown)
    except BadInput:  # too large: log the list without features
        metrics.SHOWN_DROPPED.labels("features").inc()
        nothing = dict.fromkeys(("layout", "user", "items", "cross", "signals", "history"), UNSET)
        return write_shown(msgspec.structs.replace(shown, **nothing))
