"""Homes for benchmarks: one that runs already, or one of their own without the services that serve lists."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from benchmarks.harness.job_progress import newest_event
from features.base.reader import Base
from features.engines.redis_nodes import RedisNodes
from features.errors import BadInput, Unavailable
from features.types import CLICK, KINDS, LIKE, RATING, Millis
from infra.flink.standby import WARM
from infra.home.home_lock import home_lock
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.home.running import engines_of, running_status
from infra.services.api import plain_address
from infra.services.environment import python_env
from infra.stack import Stack
from infra.system.processes import ProcessId, memory_mib
from infra.system.progress import Steps
from infra.system.repository import REPO
from infra.up_options import UpOptions
from streaming.settings import JobSettings, read_settings

VERIFY_TIMEOUT = 3600.0
REDIS_TIMEOUT = 10.0
"""Seconds that a call of Redis may take."""


@dataclass(frozen=True)
class Shape:
    """Properties of a home that a benchmark may vary, as options of `up`; None: `up`'s default."""

    parallelism: int | None = None
    state: str | None = None


DEFAULT = Shape()


class Running:
    """A running home. Raises Unavailable if nothing runs in it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.engines = engines_of(home)
        status = running_status(home)
        self.api = plain_address(status) if "address" in status else ""
        self.rest = str(status["flink"])

    def services(self) -> dict[str, ProcessId]:
        """Returns the present processes by name."""
        return {name: ProcessId.from_json(entry) for name, entry in running_status(self.home)["services"].items()}

    def await_standby(self, timeout: float = 300.0) -> None:
        """Wait until the standby TaskManager is warm. Raises Unavailable after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while running_status(self.home).get("spare") != WARM:
            if time.monotonic() > deadline:
                raise Unavailable(f"the spare TaskManager is not warm after {timeout:.0f} s")
            time.sleep(0.5)

    def cpu_seconds(self) -> dict[str, float]:
        """Returns the processor time of each process since its start, and of `up`, which supervises them."""
        targets = {**self.services(), "up": ProcessId.from_json(running_status(self.home)["supervisor"])}
        found = {name: target.process() for name, target in targets.items()}
        times = {name: process.cpu_times() for name, process in found.items() if process is not None}
        return {name: each.user + each.system for name, each in times.items()}

    def memory(self) -> dict[str, int]:
        """Returns the resident memory of each process, MiB."""
        return {name: memory_mib(target) for name, target in self.services().items()}

    def base(self) -> Base:
        """Returns the base that the job starts from."""
        return HomeRecord(self.home).base()

    def films(self) -> Base:
        """Returns the base of a home of films whose ids are numbers. Raises BadInput for another one: what benchmarks post it
        would reject, and the lists that they ask it for would be strangers'."""
        base = self.base()
        kinds = {name: base.schema.code_of.get(name) for name in (KINDS[CLICK], KINDS[LIKE], KINDS[RATING])}
        ids = (*base.user_ids, *base.catalogue)
        if list(kinds.values()) != [CLICK, LIKE, RATING] or min(ids, default=0) < 0:
            expected = (
                "a home with the kinds click, like and rating, whose ids are numbers, as `./martlet up` makes one"
            )
            raise BadInput("--home", expected, str(self.home.path))
        return base

    def known_to(self) -> Millis:
        """Returns when the newest event was that the home knows, of its history or of its log; 0 where it knows none."""
        with self.nodes() as nodes:
            return max(newest_event(nodes, self.engines.kafka.partitions), self.base().cut)

    def settings(self) -> JobSettings:
        return read_settings(self.home.flink / "job.json")

    def redis(self) -> redis.Redis:
        return redis.Redis(**self.engines.redis.client_options(), socket_timeout=REDIS_TIMEOUT)

    def nodes(self) -> RedisNodes:
        """Clients of all servers of Redis."""
        return RedisNodes(self.engines.redis, REDIS_TIMEOUT)

    def verify(self, wait: float = 60.0, kernel: bool = False) -> tuple[bool, str]:
        """Run `./martlet verify`; returns whether all is equal, and its output. kernel: folded by compiled code, not by the
        specification. Raises Unavailable if it fails."""
        argv = [sys.executable, "-m", "infra", "verify", "--home", str(self.home.path), "--wait", str(wait)]
        argv += ["--kernel"] if kernel else []
        try:
            done = subprocess.run(
                argv, env=python_env(), cwd=REPO, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=wait + VERIFY_TIMEOUT,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"verify did not end within {wait + VERIFY_TIMEOUT:.0f} s") from error
        line = " ".join(done.stdout.split())[:300]
        if done.returncode not in (0, 1, 3) or not line:
            raise Unavailable(f"verify failed with exit code {done.returncode}: {(done.stderr or line)[-500:]}")
        return done.returncode == 0, line


@contextmanager
def processor_shares(running: Running) -> Iterator[dict[str, float]]:
    """Measure how many processors each of the home's processes keeps busy; filled when the context ends."""
    shares: dict[str, float] = {}
    before, began = running.cpu_seconds(), time.monotonic()
    yield shares
    took = time.monotonic() - began
    shares |= {name: (after - before[name]) / took for name, after in running.cpu_seconds().items() if name in before}


class StreamHome:
    """Redis, Kafka and Flink in a folder of their own, with `up`'s own settings and supervision; no API, no models.

    Entering starts Redis (emptied) and Kafka (with its log), so that the log can be filled; `start_job` has the job, as if there
    had been none before, fold that log from an empty base. Leaving stops everything.
    """

    def __init__(self, folder: Path, shape: Shape = DEFAULT, users_only: bool = False) -> None:
        self._home = Home(folder)
        self._options = UpOptions(history=0.0, parallelism=shape.parallelism, state=shape.state)
        self._fold_items = not users_only
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as cleanup:
            cleanup.enter_context(home_lock(self._home.make()))
            for folder in (self._home.redis, self._home.flink):
                shutil.rmtree(folder)
            opened = Stack.opened(self._home, self._options, Steps(), self._fold_items)
            self._stack = cleanup.enter_context(opened)
            self._stack.fetch_packages()
            self._stack.start_redis()
            self._stack.start_kafka()
            self._stack.make_base()
            self._stack.load_base()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    @property
    def running(self) -> Running:
        return Running(self._home)

    def start_job(self) -> Running:
        """Start Flink and the job, and keep them running as `up` does; returns once the job runs."""
        self._stack.start_cluster()
        self._stack.start_job()
        self._stack.start_watching()
        self._stack.supervisor.note(state="up")
        return self.running


@contextmanager
def given_or_own(home: Path | None, folder: Path, shape: Shape) -> Iterator[Running]:
    """Provide the running home at `home`, or if None one of its own, of a shape, under `folder`, while the context lasts."""
    if home is not None:
        yield Running(Home(home))
    else:
        with StreamHome(folder / "home", shape) as own:
            yield own.start_job()


def share_base(source: Path, target: Path) -> None:
    """Copy the base of a home to one that is not made yet, so that Spark need not make it again."""
    shutil.copytree(Home(source).bases, Home(target).bases)
