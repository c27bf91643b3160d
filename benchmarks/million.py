"""`bench million`: many users with a few events each: events a second, state, memory.

The log is filled before the job starts. The measured checkpoint is the first that was triggered after the last record was
folded, so it includes them all.
"""

import threading
import time
from pathlib import Path

from benchmarks.backlog import fold_backlog
from benchmarks.harness.engines.flink_cluster import CheckpointLog, Cluster
from benchmarks.harness.event_generator import fill, grid
from benchmarks.harness.homes import Running, Shape, StreamHome
from benchmarks.harness.run_report import Figure, Report, work_folder
from features.errors import Broken, Unavailable


class MemoryPeaks(threading.Thread):
    """Records the peak resident memory of each process, sampled each second."""

    def __init__(self, running: Running) -> None:
        super().__init__(name="memory", daemon=True)
        self._running = running
        self._ended = threading.Event()
        self.peaks: dict[str, int] = {}

    def run(self) -> None:
        while not self._ended.wait(1.0):
            for name, mib in self._running.memory().items():
                self.peaks[name] = max(mib, self.peaks.get(name, 0))

    def end(self) -> dict[str, int]:
        """Stop sampling; returns MiB by process."""
        self._ended.set()
        self.join(10)
        return self.peaks


def measure(home: StreamHome, users: int, kernel_only: bool, report: Report) -> None:
    """Measure one run of an entered home whose log is full. Raises Broken if `verify` finds a difference."""
    running = home.running
    cluster = Cluster(running.rest)
    memory, log = MemoryPeaks(running), CheckpointLog(cluster)
    memory.start()
    log.start()
    figures: dict[str, Figure] = {**fold_backlog(home, sorted(running.base().catalogue))}
    folded_ms = time.time_ns() // 1_000_000
    last = cluster.await_checkpoint(folded_ms)
    users_bytes = cluster.users_state_bytes(last)  # Flink forgets a checkpoint's details while `verify` runs
    peaks = memory.end()
    while_busy = [each.took_ms for each in log.end() if each.trigger_ms < folded_ms]
    with running.redis() as client:
        used = client.info("memory")["used_memory"]
    figures |= {
        "whole state, MiB": last.state_bytes / 2**20,
        "written for that checkpoint, MiB": last.written_bytes / 2**20,
        "users' state, bytes a user": users_bytes / users,
        "checkpoint of it all, s": last.took_ms / 1000,
        "longest checkpoint while busy, s": max(while_busy) / 1000 if while_busy else None,
        "Redis data, MiB": used / 2**20,
        "Redis data, bytes a user": used / users,
        **{f"{name}, resident at most, MiB": peak for name, peak in peaks.items()},
    }
    ways = [(True, "verify --kernel"), *([] if kernel_only else [(False, "verify")])]
    figures |= {f"{name}, s": verified(running, kernel, name, report) for kernel, name in ways}
    report.add(figures)


def verified(running: Running, kernel: bool, name: str, report: Report) -> float | None:
    """Returns the seconds that `verify` takes; None where it could not be done, which is noted. Raises Broken if it finds a
    difference."""
    began = time.monotonic()
    try:
        equal, line = running.verify(kernel=kernel)
    except Unavailable as error:
        report.note(f"{name}: {error}")
        return None
    report.note(f"{name}: {line}")
    if not equal:
        raise Broken("the features are not those of base and log")
    return time.monotonic() - began


def run(users: int, events: int, runs: int, shape: Shape, kernel_only: bool, json: Path | None) -> None:
    """Print and save the figures of `runs` runs. events: of each user; kernel_only: verified by the kernel, not by the
    specification, too."""
    report = Report("million", {"users": users, "events": events, "runs": runs, "shape": shape})
    with work_folder() as folder:
        for number in range(runs):
            with StreamHome(folder, shape) as home:
                if number == 0:
                    base = home.running.base()
                    fill(home.running.engines.kafka, grid(users, events, sorted(base.catalogue), base.horizon))
                measure(home, users, kernel_only, report)
    report.show()
    report.save(json)
