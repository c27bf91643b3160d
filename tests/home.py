"""A running home, started as a newcomer would start it, and ways to talk to it."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx
import redis
from kafka import KafkaProducer
from redis.cluster import ClusterNode

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.engines.shared_engines import Engines, read_engines
from features.errors import Unavailable
from infra.home.paths import Home
from infra.system.processes import ProcessId, free_ports
from infra.system.repository import REPO
from tests.patience import Deadline, patience

T = TypeVar("T")
UP_WITHIN = 900
WATCHFUL = {"watch_every": 1.0, "spare_calm": 3600.0, "longest_pause": 2.0, "nice": 0}
"""An alarm comes and goes within seconds; what is killed over and over starts again soon; no standby TaskManager is warmed, which
takes some 20 s of a processor after each start of the job: nothing takes its place before a fault (see tests/faults). Offline
steps do not give way: a test waits for them."""
ALIVE: list[Path] = []
"""The homes that run now, or are being started or stopped: whose logs a failing test shows (see `tests.evidence`)."""


@dataclass(frozen=True)
class Martlet:
    """A running home and ways to talk to it."""

    home: Path
    address: str
    http: httpx.Client
    redis: redis.Redis
    producer: KafkaProducer
    repo: Path = REPO

    def command(self, *arguments: str, within: float = 300) -> subprocess.CompletedProcess[str]:
        return run_martlet(*arguments, "--home", str(self.home), within=within, repo=self.repo)

    def status(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.home / "run" / "status.json").read_text())
        return value

    @property
    def salt(self) -> str:
        """What keys the hash of ids that are strings, hexadecimal."""
        record: dict[str, Any] = json.loads((self.home / "home.json").read_text())
        return str(record["salt"])

    @property
    def engines(self) -> Engines:
        return read_engines(Home(self.home).engines_file)

    @property
    def kafka(self) -> KafkaAddress:
        return self.engines.kafka

    @property
    def bootstrap(self) -> str:
        return self.kafka.bootstrap

    def post(self, events: object) -> httpx.Response:
        return self.http.post("/v1/events", json=events)

    def recommend(self, user_id: int | str, **more: Any) -> dict[str, Any]:
        answer = self.http.get("/v1/recommendations", params={"user_id": user_id, **more})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def applied(self, user_id: int | str, token: str, within: float = 60, **more: object) -> dict[str, Any]:
        """The user's list once all that `token` stands for is in it. One request waits 200 ms for that at most, and 60 ms for
        the user's features."""

        def seen() -> dict[str, Any] | None:
            answer = self.recommend(user_id, seen=token, **more)
            is_live = "no live features" not in answer["degraded"]
            return answer if answer["freshness"]["seen_applied"] and is_live else None

        answer: dict[str, Any] = until(seen, within, f"what user {user_id} did is applied")
        return answer

    def whole(self, user_id: int | str, within: float = 60, **more: object) -> dict[str, Any]:
        """The user's list once nothing of it is degraded: on a busy machine the first one may have been."""

        def listed() -> dict[str, Any] | None:
            answer = self.recommend(user_id, **more)
            return None if answer["degraded"] else answer

        answer: dict[str, Any] = until(listed, within, f"a whole list for user {user_id}")
        return answer

    def user(self, user_id: int | str) -> dict[str, Any]:
        """The user as Redis has it: on a busy machine a first answer may be the base's."""

        def live() -> dict[str, Any] | None:
            answer = self.http.get(f"/v1/users/{quote(str(user_id), safe='')}")
            assert answer.status_code == 200, answer.text
            body: dict[str, Any] = answer.json()
            return body if body["live"] else None

        body: dict[str, Any] = until(live, 60, f"user {user_id} comes from Redis")
        return body


def run_martlet(*arguments: str, within: float = 300, repo: Path = REPO) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(repo / "martlet"), *arguments],
        capture_output=True,
        text=True,
        timeout=patience(within),
        stdin=subprocess.DEVNULL,
    )


def checkpoints(martlet: Martlet) -> list[Path]:
    """The complete ones of a home's job, newest first."""
    found = {}
    for metadata in (martlet.home / "flink" / "checkpoints").glob("*/chk-*/_metadata"):
        with suppress(FileNotFoundError):  # Flink drops the oldest whenever a new one is completed
            found[metadata.parent] = metadata.stat().st_mtime
    return sorted(found, key=found.__getitem__, reverse=True)


def until(
    check: Callable[[], Any], within: float = 30.0, what: str = "it", despite: type[Exception] | tuple[()] = ()
) -> Any:
    """The first true value of `check`, asked again and again within a bound, the less often the longer it takes: whoever answers
    has a machine to share. despite: an error that means not yet."""
    deadline = Deadline(within)
    error: Exception | None = None
    while True:
        try:
            value = check()
        except despite as raised:
            value, error = None, raised
        if value:
            return value
        reason = "" if error is None else f": {error}"
        assert not deadline.has_passed(), f"{what} did not happen within {deadline.seconds:.0f} s{reason}"
        time.sleep(min(0.5, max(0.05, deadline.waited / 20)))


def answer_of(question: Callable[[], T], what: str = "an engine") -> T:
    """What an engine answers, asked again where it is late: on a busy machine it may stand still for longer than one question
    waits."""
    found: list[T] = until(lambda: [question()], 30, f"{what} answers", despite=Unavailable)
    return found[0]


def _client_of(address: RedisAddress) -> redis.Redis:
    """A client of the home's Redis; of a cluster it has the same commands."""
    if not address.cluster:
        return redis.Redis(**address.client_options(), socket_timeout=10)
    node: Any = ClusterNode  # of redis-py, without types
    nodes = [node(host, port) for host, port in address.servers]
    return cast(redis.Redis, redis.RedisCluster(startup_nodes=nodes, socket_timeout=10))


@contextmanager
def running(
    home: Path,
    *options: str,
    repo: Path = REPO,
    seed: Path | None = None,
    timings: dict[str, float] = WATCHFUL,
    whole: bool = True,
) -> Iterator[Martlet]:
    """A home that runs the code of `repo`, for as long as the context lasts; at its end nothing of it is left running. With a
    seed (see `tests.seed`) it begins with what that holds; for its timings see `infra.home.timings`. It has its models from the
    first, unless it is not to be `whole`."""
    if seed is not None:
        shutil.copytree(seed, home, dirs_exist_ok=True)
    (home / "run").mkdir(parents=True, exist_ok=True)
    (home / "run" / "times.json").write_text(json.dumps(timings))
    ALIVE.append(home)
    try:
        port = _start(home, [*(["--wait"] if whole else []), *options], repo)
        engines = read_engines(Home(home).engines_file)
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=20, trust_env=False) as http:
            client = _client_of(engines.redis)
            producer = KafkaProducer(**engines.kafka.client_options(), acks="all", max_request_size=4 << 20)
            yield Martlet(home, address, http, client, producer, repo)
            producer.close(5)
            client.close()
    except BaseException:
        with suppress(subprocess.TimeoutExpired):  # the first error is the one to be told
            down = run_martlet("down", "--home", str(home), within=240, repo=repo)
            print(down.stdout + down.stderr)
        raise
    else:
        if (home / "run" / "status.json").exists():  # a test may have stopped it
            stop_home(home, repo)
    finally:
        ALIVE.remove(home)


def _start(home: Path, options: Sequence[str], repo: Path) -> int:
    """`up`, on a port that it returns; on another where somebody has taken that one before `up` could claim it."""
    for _ in range(3):
        port = free_ports(1)[0]
        words = ("up", "--detach", "--home", str(home), "--port", str(port), *options)
        done = run_martlet(*words, within=UP_WITHIN, repo=repo)
        said = done.stdout + done.stderr
        if f"got {port}, which" not in " ".join(said.split()):
            break
    assert done.returncode == 0, said
    return port


def stop_home(home: Path, repo: Path = REPO) -> None:
    """`down`, after which no process that the supervisor had started may be left."""
    status = json.loads((home / "run" / "status.json").read_text())
    services = {name: ProcessId.from_json(entry) for name, entry in status["services"].items()}
    down = run_martlet("down", "--home", str(home), within=240, repo=repo)
    assert down.returncode == 0, down.stdout + down.stderr
    left = [name for name, each in services.items() if each.process() is not None]
    assert not left, f"left running after down: {left}"
