"""Metrics over all API processes of a machine: each publishes its own in a file, and any of them shows the sum.

A process that is restarted goes on from what the one before it had published last, so that no counter goes back; of one that was
killed the counts of at most PUBLISH_EVERY seconds are missing.
"""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from features.durable import write_whole
from online.support.metrics import MERGED_BY, PROCESSES

logger = logging.getLogger(__name__)

PUBLISH_EVERY: Final = 1.0
LIVE: Final = 5.0
"""Seconds since its last publication for which a process counts as alive: from then on its gauges are left out."""
COUNTED: Final = ("counter", "histogram")
CREATED: Final = "_created"
"""Ends the name of the sample that says since when a metric is counted."""
_PREFIX, _SUFFIX = "metrics-", ".msgpack"

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and labels."""
Merge = Callable[[float, float], float]


class Family(msgspec.Struct, array_like=True):
    """A metric with its samples: (name, labels) → value."""

    name: str
    kind: str
    text: str
    samples: list[tuple[str, dict[str, str], float]]


class Published(msgspec.Struct, array_like=True):
    """What one process publishes; at: wall time, s."""

    at: float
    families: list[Family]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Published).decode


class SharedMetrics:
    """The metrics of this process and of the others in a folder; without a folder there is this process alone. number: of this
    process, from 1."""

    def __init__(self, registry: CollectorRegistry, folder: Path | None, number: int = 1) -> None:
        self._registry, self._folder = registry, folder
        self._name = f"{_PREFIX}{number}{_SUFFIX}"
        before = None if folder is None else _read(folder / self._name)
        self._before = [] if before is None else [each for each in before.families if each.kind in COUNTED]
        self._published = 0.0

    def publish(self) -> None:
        """Publish this process' metrics, if that was not done within PUBLISH_EVERY seconds."""
        if self._folder is not None and time.monotonic() - self._published >= PUBLISH_EVERY:
            self._published = time.monotonic()
            self.publish_now()

    def publish_now(self) -> None:
        if self._folder is not None:
            own = Published(time.time(), merged([self._own()]))
            try:
                write_whole(self._folder / self._name, _encode(own), sync=False)
            except OSError as error:
                logger.warning("the other processes get no numbers of this one: %s", error)

    def collect(self) -> list[Metric]:
        """The metrics over all processes, by family."""
        if self._folder is None:
            PROCESSES.set(1)
            return list(self._registry.collect())
        published = [each for path in self._others() if (each := _read(path)) is not None]
        live = [each for each in published if time.time() - each.at < LIVE]
        PROCESSES.set(1 + len(live))
        parts = [self._own()]
        for each in published:
            parts.append([family for family in each.families if each in live or family.kind in COUNTED])
        return [_metric(family) for family in merged(parts)]

    def _own(self) -> list[Family]:
        families = [
            Family(
                each.name, each.type, each.documentation, [(one.name, one.labels, one.value) for one in each.samples]
            )
            for each in self._registry.collect()
        ]
        return merged([families, self._before]) if self._before else families

    def _others(self) -> Iterable[Path]:
        assert self._folder is not None
        return (path for path in sorted(self._folder.glob(f"{_PREFIX}*{_SUFFIX}")) if path.name != self._name)


def merged(parts: Iterable[Iterable[Family]]) -> list[Family]:
    """One family of each name: counters and histograms added up, gauges as MERGED_BY says (else the sum)."""
    found: dict[str, Family] = {}
    values: dict[str, dict[Key, float]] = {}
    for part in parts:
        for family in part:
            found.setdefault(family.name, family)
            own = values.setdefault(family.name, {})
            for name, labels, value in family.samples:
                key = name, tuple(labels.items())
                own[key] = value if key not in own else _merge_of(family, name)(own[key], value)
    return [
        Family(
            name, each.kind, each.text, [(one, dict(labels), value) for (one, labels), value in values[name].items()]
        )
        for name, each in found.items()
    ]


def _merge_of(family: Family, sample: str) -> Merge:
    if sample.endswith(CREATED):
        return min
    return MERGED_BY.get(family.name, _add) if family.kind == "gauge" else _add


def _add(one: float, other: float) -> float:
    return one + other


def _metric(family: Family) -> Metric:
    metric = Metric(family.name, family.text, family.kind)
    for name, labels, value in family.samples:
        metric.add_sample(name, labels, value)
    return metric


def _read(path: Path) -> Published | None:
    try:
        return _decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
