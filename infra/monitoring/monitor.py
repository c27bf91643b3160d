"""The monitor: takes a snapshot every few seconds, raises and clears alarms, and serves Prometheus metrics.

It has a thread of its own: the supervisor's chores may wait minutes for a job to be submitted, which is when alarms
matter. It has a port of its own, since its data must be readable while Redis and the API are down.
"""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry

from features.keys import EVENTS
from features.store.freshness import FreshnessHistogram
from features.store.job_status import OPERATORS
from infra.monitoring.alarms import WINDOW_MS, Alarm, evaluate
from infra.monitoring.collector import Collector
from infra.monitoring.http_endpoint import MonitorPage
from infra.monitoring.json_report import flow_report, quantiles
from infra.monitoring.prometheus import MonitorMetrics
from infra.monitoring.snapshot import Snapshot, freshness_between, latest

EVERY = 5.0
SHORTEST_PAUSE = 0.5
"""Seconds between two snapshots, at least."""
HISTORY_S = 160.0
"""Time that the retained snapshots span, at least: the minute of the alarms, and what is plotted."""
FEWEST = 32
"""Snapshots that are retained however far apart they are."""


def history_limit(every: float) -> int:
    """Returns how many snapshots are retained where one is taken every so many seconds.

    >>> history_limit(5.0), history_limit(0.5), history_limit(0.0), history_limit(60.0)
    (32, 320, 320, 32)
    """
    return max(FEWEST, math.ceil(HISTORY_S / max(SHORTEST_PAUSE, every)))


def no_steps() -> dict[str, list[Any]]:
    """Returns what there is of a start's steps where none is going on."""
    return {"preparing": [], "failed_steps": []}


class Monitor:
    """Takes and evaluates snapshots in a thread. `note` gets facts for `status` (Supervisor.note); `print_line` gets a line for
    each alarm that begins or ends; `flink` is the URL of Flink's page; `steps` returns what a start still prepares and what of it
    failed (`Plan.report`). It listens on `host`."""

    def __init__(
        self,
        collector: Collector,
        port: int,
        note: Callable[..., None],
        print_line: Callable[[str], None],
        every: float = EVERY,
        flink: str = "",
        steps: Callable[[], dict[str, list[Any]]] = no_steps,
        host: str = "127.0.0.1",
    ) -> None:
        self._collector = collector
        self._note = note
        self._print_line = print_line
        self._every = every
        self._snapshots: deque[Snapshot] = deque(maxlen=history_limit(every))
        self._since: dict[str, int] = {}
        self._metrics = MonitorMetrics()
        self._host = host
        self._port = port
        self._flink = flink
        self._steps = steps
        self._report: dict[str, Any] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._page: MonitorPage | None = None

    def start(self) -> None:
        registry = CollectorRegistry()
        registry.register(self._metrics)
        try:
            self._page = MonitorPage(self._port, registry, lambda: self._report, self._host)
        except OSError as error:  # alarms are useful without the endpoint
            self._print_line(f"the watch's /metrics can't be had on port {self._port}: {error}")
        self._thread.start()

    def stop(self) -> None:
        """Stop within the time of one snapshot; noted facts stay."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        if self._page is not None:
            self._page.close()
        with contextlib.suppress(Exception):
            self._collector.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self.poll()
            except Exception as error:  # a monitor that has died would look like a home without alarms
                self._print_line(f"the watch could not look: {type(error).__name__}: {error}")
            self._stopping.wait(max(SHORTEST_PAUSE, self._every - (time.monotonic() - began)))

    def poll(self) -> list[Alarm]:
        """Take a snapshot and evaluate alarms; note and print them and update the metrics."""
        snapshot = self._collector.take_snapshot()
        self._snapshots.append(snapshot)
        alarms = evaluate(tuple(self._snapshots))
        self._print_changes(snapshot.taken_at, alarms)
        self._metrics.show(snapshot, alarms)
        held = [{"name": alarm.name, "since": self._since[alarm.name], "text": alarm.text} for alarm in alarms]
        minute = self._last_minute()
        self._note(
            alarms=held,
            alarms_at=snapshot.taken_at,
            fresh_last_minute={name: quantiles(each) for name, each in minute.items()} or None,
        )
        self._report = flow_report(snapshot, self._flink) | {
            "alarms": held,
            **self._steps(),
            "learning": snapshot.learning,
            "freshness_last_minute": {name: quantiles(each) | {"counts": each.counts} for name, each in minute.items()},
            "history": [_point(each) for each in self._snapshots],
        }
        return alarms

    def _print_changes(self, now: int, alarms: list[Alarm]) -> None:
        held = {alarm.name: alarm.text for alarm in alarms}
        for name, text in held.items():
            if name not in self._since:
                self._since[name] = now
                self._print_line(f"{_clock(now)} alarm {name}: {text}")
        for name in [name for name in self._since if name not in held]:
            since = self._since.pop(name)
            self._print_line(f"{_clock(now)} alarm over: {name}, after {(now - since) / 1000:.0f} s")

    def _last_minute(self) -> dict[str, FreshnessHistogram]:
        snapshots = latest(self._snapshots, WINDOW_MS)
        found = {operator: freshness_between(snapshots, operator) for operator in OPERATORS}
        return {operator: each for operator, each in found.items() if each is not None}


def _point(snapshot: Snapshot) -> dict[str, int | None]:
    """Returns the values that are plotted over time."""
    return {"at": snapshot.taken_at, "read": snapshot.total("read"), "pending": snapshot.pending(EVENTS)}


def _clock(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ms / 1000))
