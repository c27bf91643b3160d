"""The watch over the flow: looks every few seconds, raises and clears alarms, and answers Prometheus.

It has a thread of its own: the supervisor's chores may wait minutes for a job to be submitted, and that is when alarms
matter. It answers on its own port because what it tells must be readable while Redis and the API are down.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry

from features.keys import EVENTS
from features.store.freshness import FreshnessHistogram
from features.store.job_status import OPERATORS
from infra.monitoring.alarms import LOOK_BACK_MS, Alarm, evaluate
from infra.monitoring.collector import Gatherer
from infra.monitoring.http_endpoint import WatchPage
from infra.monitoring.json_report import flow_report, quantiles
from infra.monitoring.prometheus import WatchCollector
from infra.monitoring.snapshot import Flow, fresh_since, latest
from infra.start_plan import Pending

EVERY = 5.0
KEPT = 32
"""Sights kept at most: a minute's, and some more should the clock be set back."""


class Watch:
    """`note` takes facts for `status` (Supervisor.note); `say` takes a line for each alarm that comes or goes; `flink` is the
    address of Flink's page; `pending` gives what is still being prepared."""

    def __init__(
        self,
        gatherer: Gatherer,
        port: int,
        note: Callable[..., None],
        say: Callable[[str], None],
        every: float = EVERY,
        flink: str = "",
        pending: Callable[[], Sequence[Pending]] = tuple,
    ) -> None:
        self._gatherer = gatherer
        self._note = note
        self._say = say
        self._every = every
        self._sights: deque[Flow] = deque(maxlen=KEPT)
        self._since: dict[str, int] = {}
        self._collector = WatchCollector()
        self._port = port
        self._flink = flink
        self._pending = pending
        self._sight: dict[str, Any] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._page: WatchPage | None = None

    def start(self) -> None:
        registry = CollectorRegistry()
        registry.register(self._collector)
        try:
            self._page = WatchPage(self._port, registry, lambda: self._sight)
        except OSError as error:  # alarms are worth having without the page
            self._say(f"the watch's /metrics can't be had on port {self._port}: {error}")
        self._thread.start()

    def stop(self) -> None:
        """Ends within the time of one sight; what was noted stays."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        if self._page is not None:
            self._page.close()
        with contextlib.suppress(Exception):
            self._gatherer.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self.look()
            except Exception as error:  # a watch that has died would look like a home without alarms
                self._say(f"the watch could not look: {type(error).__name__}: {error}")
            self._stopping.wait(max(0.5, self._every - (time.monotonic() - began)))

    def look(self) -> list[Alarm]:
        """One sight: what holds now, noted, said and ready for Prometheus."""
        flow = self._gatherer.look()
        self._sights.append(flow)
        alarms = evaluate(tuple(self._sights))
        self._tell(flow.asked_at, alarms)
        self._collector.show(flow, alarms)
        held = [{"name": alarm.name, "since": self._since[alarm.name], "text": alarm.text} for alarm in alarms]
        minute = self._last_minute()
        self._note(
            alarms=held,
            alarms_at=flow.asked_at,
            fresh_last_minute={name: quantiles(each) for name, each in minute.items()} or None,
        )
        self._sight = flow_report(flow, self._flink) | {
            "alarms": held,
            "preparing": [asdict(each) for each in self._pending()],
            "freshness_last_minute": {name: quantiles(each) | {"counts": each.counts} for name, each in minute.items()},
            "history": [_point(each) for each in self._sights],
        }
        return alarms

    def _tell(self, now: int, alarms: list[Alarm]) -> None:
        held = {alarm.name: alarm.text for alarm in alarms}
        for name, text in held.items():
            if name not in self._since:
                self._since[name] = now
                self._say(f"{_clock(now)} alarm {name}: {text}")
        for name in [name for name in self._since if name not in held]:
            since = self._since.pop(name)
            self._say(f"{_clock(now)} alarm over: {name}, after {(now - since) / 1000:.0f} s")

    def _last_minute(self) -> dict[str, FreshnessHistogram]:
        sights = latest(self._sights, LOOK_BACK_MS)
        found = {operator: fresh_since(sights, operator) for operator in OPERATORS}
        return {operator: each for operator, each in found.items() if each is not None}


def _point(flow: Flow) -> dict[str, int | None]:
    """What is drawn over time."""
    return {"at": flow.asked_at, "read": flow.total("read"), "pending": flow.pending(EVENTS)}


def _clock(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ms / 1000))
