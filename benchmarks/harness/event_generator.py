"""Generates events, and writes many of them to the log fast."""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from features.contracts.events import write_event
from features.engines.kafka_address import KafkaAddress
from features.errors import Unavailable
from features.keys import EVENTS
from features.schema.tables import preset_schema
from features.types import CLICK, LIKE, RATING, Event
from features.units import DAY_MS
from offline.datasets.dataset import COLUMNS, Dataset, event_of, rows_between

BATCH_BYTES = 512 << 10
BATCHES_UNDER_WAY = 32
USERS_APART = 1_000_000
"""Difference between the ids of one user in two copies of a data set."""


def copies(dataset: Dataset, count: int, shuffled: bool = False) -> Iterator[Event]:
    """Yields a data set's events `count` times, each copy with users and event ids of its own.

    In the data set's order, a row's copies next to each other; or `shuffled` (the same in every run), so that events of a user
    are rarely close together, unlike in MovieLens.
    """
    batches = list(rows_between(dataset, 0, dataset.rows))
    columns = {name: np.concatenate([batch.column(name).to_numpy() for batch in batches]) for name in COLUMNS}
    indices = np.arange(dataset.rows * count)
    if shuffled:
        np.random.default_rng(1).shuffle(indices)
    users, items, kinds, centis, times = (columns[name] for name in COLUMNS)
    for index in indices.tolist():
        row, copy = divmod(index, count)
        user_id = int(users[row]) + copy * USERS_APART
        item_id, kind, centi, ts = (int(column[row]) for column in (items, kinds, centis, times))
        yield event_of(f"bench{copy}", user_id, item_id, kind, centi, ts)


def grid(users: int, events: int, items: list[int], ts: int) -> Iterator[Event]:
    """Yields `events` ratings by each of `users` in rounds, one user after the other; a second between two, or less, so that all
    lie in the day after `ts` (ms), beyond which an event is refused as one of the future."""
    rng = random.Random(1)
    step = min(1000.0, DAY_MS / (users * events + 1))
    for round_number in range(events):
        for user_id in range(1, users + 1):
            now = ts + int((round_number * users + user_id) * step)
            centi = 50 * rng.randint(1, 10)
            yield Event(f"grid:{user_id}:{round_number}", RATING, user_id, rng.choice(items), centi, "", now)


def mixed(number: int, user_id: int, item_id: int, ts: int, run: str) -> Event:
    """Returns one event of a stream of clicks, likes and ratings; its number decides the kind."""
    kind = (CLICK, CLICK, CLICK, RATING, LIKE)[number % 5]
    centi = 50 * (1 + number % 10) if kind == RATING else 0
    return Event(f"{run}:{number}", kind, user_id, item_id, centi, "", ts)


@dataclass
class Filled:
    """Contents written to the log: number of events, and their items."""

    events: int = 0
    items: set[int] = field(default_factory=set)


def fill(kafka: KafkaAddress, events: Iterable[Event]) -> Filled:
    """Write events to the log as fast as possible. Raises Unavailable if the broker does not accept them."""
    try:
        return asyncio.run(_fill(kafka, events))
    except KafkaError as error:
        raise Unavailable(f"Kafka did not take the events: {error}") from error


async def _fill(kafka: KafkaAddress, events: Iterable[Event]) -> Filled:
    producer = AIOKafkaProducer(**kafka.client_options(), acks="all", max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        filled = Filled()
        waiting: deque[asyncio.Future[object]] = deque()
        open_batches = [producer.create_batch() for _ in range(kafka.partitions)]

        async def send(lane: int) -> None:
            waiting.append(await producer.send_batch(open_batches[lane], kafka.topic(EVENTS), partition=lane))
            open_batches[lane] = producer.create_batch()
            while len(waiting) > BATCHES_UNDER_WAY:
                await waiting.popleft()

        for event in events:
            lane = kafka.partition_of(event.user_id)
            record = {
                "key": str(event.user_id).encode(),
                "value": write_event(event, preset_schema()),
                "timestamp": None,
            }
            if open_batches[lane].append(**record) is None:  # full
                await send(lane)
                open_batches[lane].append(**record)
            filled.events += 1
            filled.items.add(event.item_id)
        for lane, batch in enumerate(open_batches):
            if batch.record_count():
                await send(lane)
        while waiting:
            await waiting.popleft()
        return filled
    finally:
        await producer.stop()
