"""The producer of `steady` and `recovery`: a process of its own that sends events by the clock.

    python -m benchmarks.harness.paced_producer --engines FILE --rate R --seconds S --users U --linger MS
    --items-from FILE --clock MS --run NAME --out F.npz

An open loop: the n-th event is due n / R seconds after the start, whatever happened to those before it. All timestamps are
monotonic ns, which on Linux and macOS are the same for all processes of a machine. It prints "started", sends until its time is
over or it gets SIGTERM, and writes an array per column, with one row per event sent:

    user, lane, offset   offset is −1 for an event that the broker did not acknowledge
    due, sent, acked     by the schedule; handed to the client; acknowledgement seen (0: none)
"""

import argparse
import asyncio
import contextlib
import random
import resource
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer

from benchmarks.harness.event_generator import mixed
from features.contracts.events import write_event
from features.engines.shared_engines import read_engines
from features.keys import EVENTS
from features.schema.tables import preset_schema

COLUMNS = ("user", "lane", "offset", "due", "sent", "acked")
LET_OTHERS_RUN = 16
"""Behind its schedule the loop never sleeps: it yields after this many events, so that acknowledgements are processed."""
DRAIN_TIMEOUT = 60.0


class Pacer:
    """Sends events by the clock and records them; the arrays limit their number."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._count = int(given.rate * given.seconds)
        self._columns = {name: np.zeros(self._count, np.int64) for name in COLUMNS}
        self._columns["offset"][:] = -1
        self._stop = False
        self._kafka = read_engines(given.engines).kafka
        self._topic = self._kafka.topic(EVENTS)
        self._items = np.load(given.items_from).tolist()

    async def run(self) -> int:
        """Send until the end or SIGTERM; returns the number of events sent."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end)
        producer = AIOKafkaProducer(**self._kafka.client_options(), acks="all", linger_ms=self._given.linger)
        await producer.start()
        try:
            await producer.partitions_for(self._topic)  # the connection is warm before the clock starts
            print("started", flush=True)
            sent = await self._send_all(producer)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(producer.flush(), DRAIN_TIMEOUT)
            return sent
        finally:
            await producer.stop()

    def _end(self) -> None:
        self._stop = True

    async def _send_all(self, producer: AIOKafkaProducer) -> int:
        given, columns = self._given, self._columns
        rng = random.Random(given.seed)
        start = time.monotonic_ns() + 50_000_000
        step = 1e9 / given.rate
        for number in range(self._count):
            due = start + int(number * step)
            ahead = due - time.monotonic_ns()
            if ahead > 0:
                await asyncio.sleep(ahead / 1e9)
            elif number % LET_OTHERS_RUN == 0:
                await asyncio.sleep(0)
            if self._stop:
                return number
            user_id = given.first_user + rng.randrange(given.users)
            lane = self._kafka.partition_of(user_id)
            event = mixed(number, user_id, rng.choice(self._items), given.clock + (due - start) // 1_000_000, given.run)
            columns["user"][number], columns["lane"][number], columns["due"][number] = user_id, lane, due
            columns["sent"][number] = time.monotonic_ns()
            future = await producer.send(self._topic, write_event(event, preset_schema()), str(user_id).encode(), lane)
            future.add_done_callback(partial(self._acknowledged, number))
        return self._count

    def _acknowledged(self, number: int, future: "asyncio.Future[Any]") -> None:
        if future.cancelled() or future.exception() is not None:
            return  # its offset stays −1
        self._columns["acked"][number] = time.monotonic_ns()
        self._columns["offset"][number] = future.result().offset

    def save(self, sent: int, path: Path) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        columns = {name: column[:sent] for name, column in self._columns.items()}
        np.savez(path, cpu_seconds=np.array(used.ru_utime + used.ru_stime), **columns)


def main() -> None:
    parser = argparse.ArgumentParser(description="Send events by the clock.")
    parser.add_argument("--engines", type=Path, required=True, help="run/engines.json of the home")
    parser.add_argument("--rate", type=float, required=True, help="events a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--users", type=int, required=True, help="how many, evenly chosen")
    parser.add_argument("--linger", type=int, default=0, help="ms to wait for more events of a partition")
    parser.add_argument("--first-user", type=int, required=True)
    parser.add_argument("--items-from", type=Path, required=True, help="an .npy of item ids")
    parser.add_argument("--clock", type=int, required=True, help="event time of the start, ms")
    parser.add_argument("--run", required=True, help="a name for event ids, another in each run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    pacer = Pacer(given)
    pacer.save(asyncio.run(pacer.run()), given.out)


if __name__ == "__main__":
    main()
