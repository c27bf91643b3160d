"""Counts and times of requests, in Prometheus' text format, under the names TensorFlow Serving gives them.

Labels hold only names of configured models: requests for unknown names can't make the page grow.
"""

import bisect
import threading
from collections.abc import Collection, Mapping

from models.server.errors import Code

_BOUNDS = [10 * 1.8**power for power in range(33)]  # microseconds: 10 µs to 25 minutes

_COUNT = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"
_VERSION = "martlet_model_version_available"


class Metrics:
    """The figures of one server; may be written and read by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {}
        self._latencies: dict[tuple[str, str, str], tuple[list[int], list[float]]] = {}

    def count(self, model: str, code: Code) -> None:
        """One request to ``model`` has ended with ``code``."""
        with self._lock:
            key = (model, code.name)
            self._counts[key] = self._counts.get(key, 0) + 1

    def observe(self, model: str, api: str, entrypoint: str, seconds: float) -> None:
        """One request that succeeded took ``seconds``."""
        microseconds = seconds * 1e6
        with self._lock:
            buckets, total = self._latencies.setdefault((model, api, entrypoint), ([0] * (len(_BOUNDS) + 1), [0.0]))
            buckets[bisect.bisect_left(_BOUNDS, microseconds)] += 1
            total[0] += microseconds

    def page(self, available: Mapping[str, Collection[int]]) -> str:
        """All figures; ``available`` are the versions that answer now, by model."""
        lines = [f"# TYPE {_COUNT} counter"]
        with self._lock:
            for (model, status), count in sorted(self._counts.items()):
                lines.append(f'{_COUNT}{{model_name="{_escaped(model)}",status="{status}"}} {count}')
            lines.append(f"# TYPE {_LATENCY} histogram")
            for (model, api, entrypoint), (buckets, [total]) in sorted(self._latencies.items()):
                labels = f'model_name="{_escaped(model)}",API="{api}",entrypoint="{entrypoint}"'
                cumulative = 0
                for bound, count in zip([*map("{:g}".format, _BOUNDS), "+Inf"], buckets, strict=True):
                    cumulative += count
                    lines.append(f'{_LATENCY}_bucket{{{labels},le="{bound}"}} {cumulative}')
                lines.append(f"{_LATENCY}_sum{{{labels}}} {total:.0f}")
                lines.append(f"{_LATENCY}_count{{{labels}}} {cumulative}")
        lines.append(f"# TYPE {_VERSION} gauge")
        for model, versions in sorted(available.items()):
            lines += [f'{_VERSION}{{model_name="{_escaped(model)}",version="{version}"}} 1' for version in versions]
        return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
