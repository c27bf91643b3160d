"""Traffic on a home: a paced producer and a subscriber, each a process of its own, and their recordings."""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness.event_latency import Seen, Sent, Timestamps, readable_at
from benchmarks.harness.homes import Running
from benchmarks.harness.job_progress import folded, log_ends
from features.errors import Unavailable
from infra.services.environment import python_env
from infra.system.processes import wait_until
from infra.system.repository import REPO

FIRST_USER = 500_000_000
"""User ids from here on occur in no data set."""
START_TIMEOUT = 60.0
SAVE_TIMEOUT = 120.0
DRAIN_TIMEOUT = 120.0


class Helper:
    """A helper process: ready once it has printed `word`, ended by SIGTERM."""

    def __init__(self, module: str, word: str, arguments: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.harness.{module}", *arguments],
            env=python_env(), cwd=REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines: queue.Queue[str] = queue.Queue()
        stdout = self._process.stdout
        assert stdout is not None
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            first_line = lines.get(timeout=START_TIMEOUT)
        except queue.Empty:
            first_line = "nothing"
        if first_line.strip() != word:
            self.kill()
            raise Unavailable(f"benchmarks.{module} said {first_line.strip()!r}, expected {word!r}")
        self._module = module

    def wait(self, in_intervals: float) -> None:
        """Wait until it ends by itself. Raises Unavailable if it fails or does not end."""
        try:
            code = self._process.wait(in_intervals)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Unavailable(f"benchmarks.{self._module} did not end within {in_intervals:.0f} s") from None
        if code != 0:
            raise Unavailable(f"benchmarks.{self._module} failed with exit code {code}")

    def end(self) -> None:
        """Send SIGTERM, and wait until it has written its recording."""
        self._process.terminate()
        self.wait(SAVE_TIMEOUT)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@dataclass(frozen=True)
class Plan:
    """A load: events a second, maximum seconds, number of users; ms that the producer waits for more events of a partition."""

    rate: float
    seconds: float
    users: int
    linger: int = 0


class Traffic:
    """Running traffic; `finish` waits for its end and for the job, and reads the recordings."""

    def __init__(self, running: Running, plan: Plan, folder: Path, name: str) -> None:
        self._running = running
        self._files = {kind: folder / f"{name}-{kind}.npz" for kind in ("sent", "seen")}
        settings = running.settings()
        items = folder / "items.npy"
        np.save(items, np.array(sorted(running.films().catalogue), np.int64))
        self._listener = Helper(
            "subscriber", "listening", ["--engines", str(running.home.engines_file), "--out", str(self._files["seen"])]
        )
        options = {
            "engines": running.home.engines_file,
            "rate": plan.rate,
            "seconds": plan.seconds,
            "users": plan.users,
            "linger": plan.linger,
            "first-user": FIRST_USER,
            "items-from": items,
            "clock": settings.clock().at(time.time_ns() // 1_000_000),
            "run": f"{name}:{time.time_ns()}",
            "out": self._files["sent"],
        }
        try:
            arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
            self._pacer = Helper("paced_producer", "started", arguments)
        except BaseException:
            self._listener.kill()
            raise

    def kill(self) -> None:
        self._pacer.kill()
        self._listener.kill()

    def finish(self, in_intervals: float = 0.0) -> tuple[Sent, Seen, Timestamps]:
        """Wait for the producer's own end, at most `timeout` seconds, or stop it now (0); returns its events, the messages of
        Redis, and when each event was readable."""
        if in_intervals:
            self._pacer.wait(in_intervals)
        else:
            self._pacer.end()
        drain(self._running)
        time.sleep(0.5)  # the last messages are on their way to the subscriber
        self._listener.end()
        sent, seen = Sent.load(self._files["sent"]), Seen.load(self._files["seen"])
        return sent, seen, readable_at(sent, seen)


@contextmanager
def traffic(running: Running, plan: Plan, folder: Path, name: str) -> Iterator[Traffic]:
    """Run both processes while the context lasts; neither is left running."""
    both = Traffic(running, plan, folder, name)
    try:
        yield both
    finally:
        both.kill()


@contextmanager
def background_events(running: Running, rate: float, span: float, name: str) -> Iterator[None]:
    """Send `rate` events a second of 10,000 users for at most `span` s, from before the context is entered; 0: none."""
    if not rate:
        yield
        return
    with TemporaryDirectory() as folder, traffic(running, Plan(rate, span, 10_000), Path(folder), name):
        time.sleep(2)
        yield


def drain(running: Running) -> None:
    """Wait until the job has folded the whole log. Raises Unavailable if it does not within DRAIN_TIMEOUT."""
    ends = log_ends(running.engines.kafka)
    deadline = time.monotonic() + DRAIN_TIMEOUT
    with running.nodes() as nodes:
        while True:
            lanes = folded(nodes, len(ends))
            if all(lane >= end for lane, end in zip(lanes, ends, strict=True)):
                return
            if not wait_until(deadline):
                raise Unavailable(f"the job stands at {lanes} of {ends} after {DRAIN_TIMEOUT:.0f} s")
