"""Events to measure with, and the fast way to put many of them into the log."""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from features.contracts.events import write_event
from features.errors import Unavailable
from features.keys import EVENTS, PARTITIONS, partition_of
from features.types import CLICK, LIKE, RATING, Event
from offline.datasets.dataset import Dataset, event_of, rows_between

BATCH_BYTES = 512 << 10
BATCHES_UNDER_WAY = 32
USERS_APART = 1_000_000
"""Between the ids of one user in two copies of a data set."""


def copies(dataset: Dataset, count: int, shuffled: bool = False) -> Iterator[Event]:
    """A data set `count` times over, each copy with users and event ids of its own.

    In the data set's order, each row's copies side by side; or `shuffled` (the same in every run), so that hardly any two
    events of a user come close together, as they do in MovieLens.
    """
    batches = list(rows_between(dataset, 0, dataset.rows))
    columns = {
        name: np.concatenate([batch.column(name).to_numpy() for batch in batches])
        for name in ("user_id", "item_id", "rating", "ts")
    }
    places = np.arange(dataset.rows * count)
    if shuffled:
        np.random.default_rng(1).shuffle(places)
    users, items, ratings, times = (columns[name] for name in ("user_id", "item_id", "rating", "ts"))
    for place in places.tolist():
        row, copy = divmod(place, count)
        user_id = int(users[row]) + copy * USERS_APART
        yield event_of(f"bench{copy}", user_id, int(items[row]), float(ratings[row]), int(times[row]))


def grid(users: int, events: int, items: list[int], ts: int) -> Iterator[Event]:
    """`events` ratings by each of `users`, one user after the other, then the next round; a second between two events."""
    chance = random.Random(1)
    for turn in range(events):
        for user_id in range(1, users + 1):
            now = ts + (turn * users + user_id) * 1000
            centi = 50 * chance.randint(1, 10)
            yield Event(f"grid:{user_id}:{turn}", RATING, user_id, chance.choice(items), centi, "", now)


def mixed(number: int, user_id: int, item_id: int, ts: int, run: str) -> Event:
    """One of a stream of clicks, likes and ratings, told apart by its number."""
    kind = (CLICK, CLICK, CLICK, RATING, LIKE)[number % 5]
    centi = 50 * (1 + number % 10) if kind == RATING else 0
    return Event(f"{run}:{number}", kind, user_id, item_id, centi, "", ts)


@dataclass
class Filled:
    """What was put into the log: events, and the items that they are about."""

    events: int = 0
    items: set[int] = field(default_factory=set)


def fill(bootstrap: str, events: Iterable[Event]) -> Filled:
    """Put events into the log, as fast as it goes. Raises Unavailable if the broker does not take them."""
    try:
        return asyncio.run(_fill(bootstrap, events))
    except KafkaError as error:
        raise Unavailable(f"Kafka did not take the events: {error}") from error


async def _fill(bootstrap: str, events: Iterable[Event]) -> Filled:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        filled = Filled()
        waiting: deque[asyncio.Future[object]] = deque()
        open_batches = [producer.create_batch() for _ in range(PARTITIONS)]

        async def send(lane: int) -> None:
            waiting.append(await producer.send_batch(open_batches[lane], EVENTS, partition=lane))
            open_batches[lane] = producer.create_batch()
            while len(waiting) > BATCHES_UNDER_WAY:
                await waiting.popleft()

        for event in events:
            lane = partition_of(event.user_id)
            record = {"key": str(event.user_id).encode(), "value": write_event(event), "timestamp": None}
            if open_batches[lane].append(**record) is None:  # full
                await send(lane)
                open_batches[lane].append(**record)
            filled.events += 1
            filled.items.add(event.item_id)
        for lane in range(PARTITIONS):
            if open_batches[lane].record_count():
                await send(lane)
        while waiting:
            await waiting.popleft()
        return filled
    finally:
        await producer.stop()
