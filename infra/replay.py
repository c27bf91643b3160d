"""`replay`: a data set as an event stream, in event-time order, at a chosen speed.

Event ids are the same in every replay, so what was sent before changes nothing when sent again. Progress is kept row by row
once the broker has acknowledged: an interrupted replay goes on where it stopped.
"""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from features.errors import Unavailable
from features.events import write_event
from features.names import EVENTS, partition_of
from features.words import Event
from infra.home import Home, read_json, write_json
from offline.datasets import Dataset, event_of, rows_between

WINDOW = 20_000
"""Records on their way at most; progress is noted as the oldest are acknowledged."""
ACK_WITHIN = 120.0


@dataclass(frozen=True)
class Plan:
    """Rows [first, last) of a data set, at `speed` times the pace of their timestamps (None: as fast as it goes)."""

    first: int
    last: int
    speed: float | None


def parse_speed(text: str) -> float | None:
    """ "max" → None, "100x" or "100" → 100.0. Raises ValueError for anything else."""
    if text == "max":
        return None
    value = float(text.removesuffix("x"))
    if not 0 < value < 1e12:
        raise ValueError(text)
    return value


def events_of(dataset: Dataset, plan: Plan) -> Iterator[tuple[int, Event]]:
    """(row, event) of the plan, in the data set's order; bounded memory."""
    row = plan.first
    for batch in rows_between(dataset, plan.first, plan.last):
        columns = (batch.column(name).to_pylist() for name in ("user_id", "item_id", "rating", "ts"))
        for user_id, item_id, rating, ts in zip(*columns, strict=True):
            yield row, event_of(dataset.name, user_id, item_id, rating, ts)
            row += 1


class Replayer:
    """Sends a plan's events and notes how far it got in data/replay.json."""

    def __init__(self, home: Home, bootstrap: str, dataset: Dataset) -> None:
        self._file = home.data / "replay.json"
        self._dataset = dataset
        self._bootstrap = bootstrap

    def resume_row(self, first: int, last: int) -> int:
        """Where an interrupted replay of the same rows stopped; `first` if there is none or it was finished."""
        noted = read_json(self._file) or {}
        same = noted.get("dataset") == self._dataset.name and noted.get("first") == first and noted.get("last") == last
        return int(noted["row"]) if same and first < int(noted["row"]) < last else first

    def _note(self, plan_first: int, plan: Plan, row: int) -> None:
        write_json(self._file, {"dataset": self._dataset.name, "first": plan_first, "last": plan.last, "row": row})

    def run(self, plan: Plan, plan_first: int) -> tuple[int, float]:
        """Send; returns (events acknowledged, seconds). Raises Unavailable if the broker does not acknowledge."""
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            linger_ms=20 if plan.speed is None else 2,
            batch_size=128 << 10,
            delivery_timeout_ms=int(ACK_WITHIN * 1000),
        )
        began, sent, noted = time.monotonic(), 0, time.monotonic()
        waiting: deque[tuple[int, Any]] = deque()
        bar = Progress(
            TextColumn("replay"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.0f} events/s"),
            TimeElapsedColumn(),
        )
        try:
            with bar:
                task = bar.add_task("replay", total=plan.last - plan.first, rate=0.0)
                start_ts: int | None = None
                for row, event in events_of(self._dataset, plan):
                    if plan.speed is not None:
                        start_ts = event.ts if start_ts is None else start_ts
                        self._pace(began + (event.ts - start_ts) / 1000 / plan.speed)
                    key = str(event.user_id).encode()
                    future = producer.send(
                        EVENTS, key=key, value=write_event(event), partition=partition_of(event.user_id)
                    )
                    waiting.append((row, future))
                    while waiting and (len(waiting) > WINDOW or waiting[0][1].is_done):
                        waiting[0][1].get(ACK_WITHIN)
                        row_done, _ = waiting.popleft()
                        sent += 1
                        if time.monotonic() - noted > 0.5:
                            noted = time.monotonic()
                            self._note(plan_first, plan, row_done + 1)
                            bar.update(task, completed=sent, rate=sent / max(noted - began, 1e-9))
                producer.flush(ACK_WITHIN)
                for _, future in waiting:
                    future.get(ACK_WITHIN)
                    sent += 1
                took = time.monotonic() - began
                bar.update(task, completed=sent, rate=sent / max(took, 1e-9))
            self._note(plan_first, plan, plan.last)
            return sent, took
        except KafkaError as error:
            raise Unavailable(
                f"Kafka did not take the events: {error}; ./martlet replay goes on where it stopped"
            ) from error
        finally:
            producer.close(5)

    @staticmethod
    def _pace(due: float) -> None:
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
