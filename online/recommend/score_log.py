"""Logs to Kafka (topic `scores`) what the judge of versions needs: lists that compare two rankers, and how a candidate ranks
beside lists. Neither delays a response: records beyond a bound are dropped and counted, and one candidate at most ranks beside
at a time.
"""

import asyncio
import logging
import time
from typing import Final

import numpy as np
from aiokafka.errors import KafkaError

from features.contracts.scores import InterleavedList, ScoreRecord, ShadowList, write_score
from features.engines.kafka_address import KafkaAddress
from features.errors import MartletError
from features.keys import SCORES
from features.recall.score_order import by_score
from features.types import ItemId
from online.kafka.producer import KafkaConnection
from online.model_client.live_models import LiveModel
from online.recommend.impression import user_of
from online.recommend.recommendation import Recommendation, ShadowRun
from online.support import metrics
from online.support.background import end

logger = logging.getLogger(__name__)

MAX_UNSENT: Final = 500
"""Records on their way to the broker at most."""
SHADOW_DELAY: Final = 0.02
"""Seconds between a response and the candidate's ranks beside it: the response is sent first."""


class ScoreLog:
    """Producer of the topic `scores`. timeout: seconds that one write may take."""

    def __init__(self, address: KafkaAddress, timeout: float = 5.0) -> None:
        self._kafka = KafkaConnection(address, timeout, linger_ms=50)
        self._topic = address.topic(SCORES)
        self._sending: set[asyncio.Task[None]] = set()
        self._shadow: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start connecting to Kafka; does not wait for it."""
        self._kafka.start()

    async def stop(self, timeout: float = 2.0) -> None:
        """Send what is on its way for at most `timeout` seconds."""
        await end(self._shadow)
        await self._kafka.stop(timeout)

    def record_shown(self, answer: Recommendation) -> None:
        """Log a list that compares two rankers, and have a candidate rank beside it, where the list is for that. Never waits,
        never raises."""
        if answer.opponent is not None and answer.model is not None:
            self._send(interleaved_list(answer, answer.model, answer.opponent.name), "list")
        if answer.shadow is not None:
            if self._shadow is not None and not self._shadow.done():
                metrics.SCORES_DROPPED.labels("busy").inc()
                return
            self._shadow = asyncio.create_task(self._run_shadow(answer, *answer.shadow), name="shadow")

    async def _run_shadow(self, answer: Recommendation, candidate: LiveModel, run: ShadowRun) -> None:
        await asyncio.sleep(SHADOW_DELAY)
        began, problem, ranks = time.monotonic(), "", np.zeros(0, np.int64)
        try:
            scores = await run()
            if not np.isfinite(scores).all():
                problem = "scores that are not finite"
            else:
                order = by_score(answer.ranked.item_ids, scores)
                ranks = np.argsort(order)[answer.ranked.slate.candidate_indices]
        except MartletError as error:
            problem = str(error)[:200] or type(error).__name__
        except Exception as error:
            logger.exception("a candidate could not rank beside a list")
            problem = type(error).__name__
        record = ShadowList(
            answer.request_id,
            user_of(answer),
            candidate.name,
            candidate.version,
            round(time.monotonic() - began, 6),
            problem,
            tuple(answer.item_ids),
            tuple(map(int, ranks)),
        )
        self._send(record, "shadow")

    def _send(self, record: ScoreRecord, kind: str) -> None:
        if not self._kafka.connected or len(self._sending) >= MAX_UNSENT:
            metrics.SCORES_DROPPED.labels("full" if self._kafka.connected else "kafka").inc()
            return
        task = asyncio.create_task(self._deliver(write_score(record), kind), name="score")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, value: bytes, kind: str) -> None:
        try:
            await (await self._kafka.send(self._topic, value, 0))
            metrics.SCORES_SENT.labels(kind).inc()
        except (KafkaError, OSError, TimeoutError) as error:
            logger.debug("a record for the judge is not logged: %s", error)
            metrics.SCORES_DROPPED.labels("kafka").inc()


def interleaved_list(answer: Recommendation, model: LiveModel, opponent: str) -> InterleavedList:
    """The record of a list that compares `model` with an opponent, by the opponent's name."""
    picks: list[ItemId] = []
    opponent_picks: list[ItemId] = []
    for item_id, team in answer.teams.items():
        (opponent_picks if team == opponent else picks).append(item_id)
    return InterleavedList(
        answer.request_id, user_of(answer), model.name, model.version, opponent, tuple(picks), tuple(opponent_picks)
    )
