"""Outcomes of experiments: counts the shown lists that users acted on, as their events arrive at any API process."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from features.errors import Unavailable
from features.keys import SHOWN_LISTS_KEY
from features.schema.tables import Schema, is_act
from features.statistics.likes import is_like
from features.types import Event
from online.redis_client.redis_reader import RedisReader
from online.stores.experiment_lists import MAX_LISTS, act_command, note_command, read_outcomes
from online.support import metrics
from online.support.background import end

logger = logging.getLogger(__name__)

MAX_PENDING: Final = 10_000
"""Lists and acts on their way to Redis; what comes while there are so many is left out, and counted."""
BATCH: Final = 100
TIMEOUT: Final = 2.0
RETRY_SECONDS: Final = 1.0


class ExperimentOutcomes:
    """Has Redis remember the arms of shown lists by request_id, and counts a list once for each outcome, in the background and in
    the order of the calls.

    running  whether there are experiments: without one, events are no news of any list
    limit    lists remembered
    """

    def __init__(
        self, schema: Schema, reader: RedisReader, running: Callable[[], bool] = lambda: True, limit: int = MAX_LISTS
    ) -> None:
        self._schema, self._reader, self._running, self._limit = schema, reader, running, limit
        self._pending: deque[bytes] = deque()
        self._added = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """How many lists and acts Redis has not taken yet."""
        return len(self._pending)

    def start(self) -> None:
        self._task = asyncio.create_task(self._send_on(), name="outcomes")

    async def stop(self) -> None:
        """Send what is left, within TIMEOUT."""
        await end(self._task)
        try:
            async with asyncio.timeout(TIMEOUT):
                while self._pending:
                    await self._send()
        except (Unavailable, TimeoutError) as error:
            logger.warning("the last outcomes of experiments are not counted: %s", error)
        finally:
            metrics.OUTCOMES_DROPPED.inc(len(self._pending))
            await self._reader.close()

    def record_shown(self, request_id: str, arms: Mapping[str, str]) -> None:
        """Remember a list that was returned, if it is in an experiment."""
        if arms:
            self._add(note_command(request_id, arms, self._limit))

    def record_events(self, events: Iterable[Event]) -> None:
        """Count the outcomes of events that the broker has acknowledged."""
        if not self._running():
            return
        for event in events:
            if event.request_id and is_act(event.kind):
                self._add(act_command(event.request_id, is_like(self._schema, event.kind, event.centi)))

    def _add(self, command: bytes) -> None:
        if len(self._pending) >= MAX_PENDING:
            metrics.OUTCOMES_DROPPED.inc()
            return
        self._pending.append(command)
        self._added.set()

    async def _send_on(self) -> None:
        while True:
            await self._added.wait()
            try:
                await self._send()
            except (Unavailable, TimeoutError) as error:
                logger.warning("outcomes of experiments are not counted (%s); trying again", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _send(self) -> None:
        """Send the oldest commands, and count by their replies. Raises Unavailable or TimeoutError, and leaves them pending."""
        batch = [self._pending[at] for at in range(min(BATCH, len(self._pending)))]
        async with asyncio.timeout(TIMEOUT):
            replies = await self._reader.read(SHOWN_LISTS_KEY, batch)
        for reply in replies:
            self._pending.popleft()
            self._count(reply)
        if not self._pending:
            self._added.clear()

    @staticmethod
    def _count(reply: Any) -> None:
        if isinstance(reply, int):  # of a list that was remembered
            return
        outcomes, arms = read_outcomes(reply)
        for outcome in outcomes:
            for experiment, arm in arms.items():
                metrics.ACTED.labels(experiment, arm, outcome).inc()
