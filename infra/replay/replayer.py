"""`replay`: sends a data set as an event stream, in event-time order or perturbed, at a chosen speed.

Event ids are the same in every replay, so sending an event again changes nothing. A row counts as done once the
broker has acknowledged it; an interrupted replay goes on at the first row that is not done.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from features.clock import Clock
from features.contracts.events import CLOCK_SLACK_MS, write_event
from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.engines.shared_engines import Engines
from features.errors import BadInput, Unavailable
from features.schema.tables import Schema
from infra.home.paths import Home, read_json
from infra.home.record import HomeRecord
from infra.home.schema_file import schema_of
from infra.offline_jobs.runner import dataset_of
from infra.replay.batch_producer import EventProducer
from infra.replay.perturbation import UNPERTURBED, Outgoing, Perturbation
from infra.replay.progress_notes import ProgressNotes
from infra.system.times import parse_time, show_time, wall_ms
from offline.datasets.dataset import Dataset, cut_row, event_of, open_dataset, row_at, whole_rows

ACK_TIMEOUT: Final = 120.0
"""Seconds that the broker may take to acknowledge a batch, its restarts included."""
LINGER: Final = 0.02
"""Seconds for which a batch is filled while there is always a next event."""
GRAIN: Final = 0.002
"""Seconds by which a paced event may be early: shorter sleeps are not worth their cost."""
NOTE_EVERY: Final = 0.5


@dataclass(frozen=True)
class Plan:
    """Rows [first, last) of a data set, at `speed` times the pace of their timestamps (None: as fast as it goes)."""

    first: int
    last: int
    speed: float | None
    perturbation: Perturbation = UNPERTURBED


class Sent(NamedTuple):
    """Result of a replay: rows that are in the log now, records acknowledged (copies included), seconds."""

    rows: int
    records: int
    seconds: float


def parse_speed(text: str) -> float | None:
    """ "max" → None, "100x" or "100" → 100.0. Raises ValueError for anything else."""
    if text == "max":
        return None
    value = float(text.removesuffix("x"))
    if not 0 < value < 1e12:
        raise ValueError(text)
    return value


class RowsInFlight:
    """Tracks the rows that were read and are not acknowledged yet: held back, shuffled, or in flight."""

    def __init__(self, first: int) -> None:
        self._first = self._next = first
        self._open: dict[int, None] = {}  # in the order they were read, so ascending
        self.records = 0

    def read(self, row: int) -> None:
        self._open[row] = None
        self._next = row + 1

    def acknowledged(self, rows: Iterable[int]) -> None:
        """Record the acknowledgement of a batch, given the rows of its records. A copy of a row that is done only counts as a
        record."""
        for row in rows:
            self._open.pop(row, None)
            self.records += 1

    @property
    def row(self) -> int:
        """First row that is not in the log; all before it are."""
        return next(iter(self._open), self._next)

    @property
    def rows(self) -> int:
        """Number of rows in the log."""
        return self._next - self._first - len(self._open)


def events_of(dataset: Dataset, plan: Plan, on_read: Callable[[int], None] = lambda row: None) -> Iterator[Outgoing]:
    """Yields the plan's events in the data set's order, unperturbed, in bounded memory; calls `on_read` with each row."""
    for row, columns in enumerate(whole_rows(dataset, plan.first, plan.last), plan.first):
        event = event_of(dataset.name, *columns)
        on_read(row)
        yield Outgoing(row, event.ts, event)


class Replayer:
    """Sends a plan's events and notes how far it got in data/replay.json; `marked`: the Redis in which the home's clock is moved
    on meanwhile."""

    def __init__(
        self,
        home: Home,
        kafka: KafkaAddress,
        dataset: Dataset,
        schema: Schema,
        marked: RedisAddress | None = None,
        ack_timeout: float = ACK_TIMEOUT,
    ) -> None:
        self._file: Path = home.data / "replay.json"
        self._dataset = dataset
        self._schema = schema
        self._kafka = kafka
        self._ack_timeout = ack_timeout
        self._marked = marked
        self._sent_ts = 0

    def resume_row(self, first: int, last: int) -> int:
        """Returns the row at which an interrupted replay of the same rows stopped; `first` if there is none or it was
        finished."""
        noted = read_json(self._file, sync=False) or {}
        same = noted.get("dataset") == self._dataset.name and noted.get("first") == first and noted.get("last") == last
        return int(noted["row"]) if same and first < int(noted["row"]) < last else first

    def run(self, plan: Plan, plan_first: int) -> Sent:
        """Send all of the plan. Raises Unavailable if the broker does not acknowledge."""
        logging.getLogger("aiokafka").setLevel(logging.ERROR)  # retries are of no interest; giving up is reported by us
        in_flight, began = RowsInFlight(plan.first), time.monotonic()
        try:
            asyncio.run(self._run(plan, plan_first, in_flight))
        except Unavailable as error:
            raise Unavailable(f"{error}; ./martlet replay goes on at row {in_flight.row}") from error
        return Sent(in_flight.rows, in_flight.records, time.monotonic() - began)

    async def _run(self, plan: Plan, plan_first: int, in_flight: RowsInFlight) -> None:
        bar = Progress(
            TextColumn("replay"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.0f} events/s"),
            TimeElapsedColumn(),
        )
        task, began = bar.add_task("replay", total=plan.last - plan.first, rate=0.0), time.monotonic()
        print_line = partial(bar.console.print, markup=False, highlight=False, soft_wrap=True)
        notes, ended = ProgressNotes(self._file, self._marked, print_line), asyncio.Event()

        async def note(sync: bool) -> None:
            progress = {"dataset": self._dataset.name, "first": plan_first, "last": plan.last, "row": in_flight.row}
            await notes.note(progress, self._sent_ts, sync)
            bar.update(task, completed=in_flight.rows, rate=in_flight.records / max(time.monotonic() - began, 1e-9))

        async def note_periodically() -> None:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), NOTE_EVERY)
                    return
                await note(sync=False)  # a disk that is slow must not hold up events

        with bar:
            noting = asyncio.create_task(note_periodically())
            try:
                async with EventProducer(self._kafka, in_flight.acknowledged, self._ack_timeout) as producer:
                    await self._send(plan, producer, in_flight)
            finally:
                ended.set()
                await asyncio.gather(noting, return_exceptions=True)
                await note(sync=True)

    async def _send(self, plan: Plan, producer: EventProducer, in_flight: RowsInFlight) -> None:
        began = ship_at = time.monotonic()
        start: int | None = None
        for row, due, event in plan.perturbation.apply(events_of(self._dataset, plan, in_flight.read)):
            now = time.monotonic()
            if plan.speed is not None:
                start = due if start is None else start
                early = began + (due - start) / 1000 / plan.speed - now
                if early > GRAIN:
                    await producer.ship()
                    await asyncio.sleep(early)
            if now >= ship_at:
                await producer.ship()
                ship_at = now + LINGER
            await producer.put(row, event.outer_user, write_event(event, self._schema))
            self._sent_ts = max(self._sent_ts, event.ts)
        await producer.finish()


def _require_past(dataset: Dataset, last: int, clock: Clock) -> None:
    """Raise BadInput if the events before row `last` go on to where the job takes none: ahead of the home's clock."""
    (columns,) = whole_rows(dataset, last - 1, last)
    ts, limit = event_of(dataset.name, *columns).ts, clock.at(wall_ms()) + CLOCK_SLACK_MS
    if ts > limit:
        expected = f"events until {show_time(limit)}, a day after this home's clock: what is later would be rejected"
        raise BadInput(f"{dataset.name} in replay", f"{expected} (--to ends before it)", f"one of {show_time(ts)}")


def replay_home(
    home: Home,
    engines: Engines,
    dataset: str | None,
    speed: str,
    start: str | None,
    end: str | None,
    restart: bool,
    perturbation: Perturbation,
    print_line: Callable[[str], None],
) -> None:
    """Run the command: replay what is left of the home's data set (or all of another one), between two times.

    Raises BadInput for what can't be read, Unavailable if the broker does not acknowledge.
    """
    try:
        pace = parse_speed(speed)
    except ValueError:
        raise BadInput("--speed", 'a positive number like "100x", or "max"', speed) from None
    record = HomeRecord(home)
    schema = schema_of(home).salted(record.salt)
    own = record.dataset if record.base_number is None else dataset_of(home, record.base().root_base())
    data = open_dataset(dataset or own, home.data, schema)
    first = cut_row(data, record.history) if dataset is None else 0
    last = data.rows
    if start is not None:
        first = row_at(data, parse_time("--from", start))
    if end is not None:
        last = row_at(data, parse_time("--to", end))
    if first >= last:
        print_line("nothing to replay: all of the data set is history, or no event lies between --from and --to")
        return
    if record.base_number is not None:
        _require_past(data, last, record.clock)
    marked = engines.redis if dataset is None else None  # another data set has no say in the home's time
    replayer = Replayer(home, engines.kafka, data, schema, marked)
    row = first if restart else replayer.resume_row(first, last)
    if row > first:
        print_line(
            f"going on at row {row}, the first that an earlier replay left without acknowledgement (--restart starts over)"
        )
    if perturbation:
        print_line(f"provoked by {perturbation}")
    sent = replayer.run(Plan(row, last, pace, perturbation), first)
    copies = f", {sent.records - sent.rows} of them copies" if perturbation.duplicate > 1 else ""
    rate = sent.records / max(sent.seconds, 1e-9)
    print_line(f"{sent.records} events acknowledged in {sent.seconds:.1f} s ({rate:.0f} events/s){copies}")
