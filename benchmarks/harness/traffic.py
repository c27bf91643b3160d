"""A paced producer and a subscriber at work on a home, each a process of its own, and what they noted."""

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

from benchmarks.harness.event_latency import Moments, Seen, Sent, readable_at
from benchmarks.harness.homes import Running
from benchmarks.harness.job_progress import folded, log_ends
from features.errors import Unavailable
from infra.services.environment import python_env
from infra.system.processes import wait_until
from infra.system.repository import REPO

FIRST_USER = 500_000_000
"""The users of this traffic are nobody's in a data set."""
START_WITHIN = 60.0
SAVE_WITHIN = 120.0
DRAIN_WITHIN = 120.0


class Helper:
    """A process of benchmarks: started, ready once it has said its word, told to end by SIGTERM."""

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
            said = lines.get(timeout=START_WITHIN)
        except queue.Empty:
            said = "nothing"
        if said.strip() != word:
            self.kill()
            raise Unavailable(f"benchmarks.{module} said {said.strip()!r}, expected {word!r}")
        self._module = module

    def wait(self, within: float) -> None:
        """Until it has ended by itself. Raises Unavailable if it fails or does not end."""
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Unavailable(f"benchmarks.{self._module} did not end within {within:.0f} s") from None
        if code != 0:
            raise Unavailable(f"benchmarks.{self._module} failed with exit code {code}")

    def end(self) -> None:
        """Tell it to stop, and wait until it has written what it noted."""
        self._process.terminate()
        self.wait(SAVE_WITHIN)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@dataclass(frozen=True)
class Plan:
    """Events a second, for at most so many seconds, by so many users."""

    rate: float
    seconds: float
    users: int


class Traffic:
    """Under way from the start of its context; `finish` waits for the end and for the job, and reads the notes."""

    def __init__(self, running: Running, plan: Plan, folder: Path, name: str) -> None:
        self._running = running
        self._files = {kind: folder / f"{name}-{kind}.npz" for kind in ("sent", "seen")}
        settings = running.settings()
        items = folder / "items.npy"
        np.save(items, np.array(sorted(running.base().catalogue), np.int64))
        self._listener = Helper(
            "subscriber", "listening", ["--port", str(running.redis_port), "--out", str(self._files["seen"])]
        )
        options = {
            "bootstrap": running.bootstrap,
            "rate": plan.rate,
            "seconds": plan.seconds,
            "users": plan.users,
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

    def finish(self, within: float = 0.0) -> tuple[Sent, Seen, Moments]:
        """Let the producer go on to its own end, at most `within` seconds, or stop it now (0); then what was noted: events,
        words of Redis, and when each event was readable."""
        if within:
            self._pacer.wait(within)
        else:
            self._pacer.end()
        drain(self._running)
        time.sleep(0.5)  # the last words are on their way to the subscriber
        self._listener.end()
        sent, seen = Sent.load(self._files["sent"]), Seen.load(self._files["seen"])
        return sent, seen, readable_at(sent, seen)


@contextmanager
def traffic(running: Running, plan: Plan, folder: Path, name: str) -> Iterator[Traffic]:
    """Start both processes; whatever happens, neither is left running."""
    both = Traffic(running, plan, folder, name)
    try:
        yield both
    finally:
        both.kill()


@contextmanager
def beside(running: Running, rate: float, span: float, name: str) -> Iterator[None]:
    """So many events a second of 10,000 users for at most `span` s, begun before the context is entered; 0: none."""
    if not rate:
        yield
        return
    with TemporaryDirectory() as folder, traffic(running, Plan(rate, span, 10_000), Path(folder), name):
        time.sleep(2)
        yield


def drain(running: Running) -> None:
    """Wait until the job has folded the whole log. Raises Unavailable if it does not come to that."""
    ends = log_ends(running.bootstrap)
    deadline = time.monotonic() + DRAIN_WITHIN
    with running.redis() as client:
        while True:
            lanes = folded(client)
            if all(lane >= end for lane, end in zip(lanes, ends, strict=True)):
                return
            if not wait_until(deadline):
                raise Unavailable(f"the job stands at {lanes} of {ends} after {DRAIN_WITHIN:.0f} s")
