"""What compose.yaml describes, as plain processes: roles by its commands and variables alone, engines that they did not start.

An event makes its way into a list, and each role ends when it is told to stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.errors import BadInput
from infra.flink.job_control import SETTLED
from infra.home.home_lock import home_lock, watch_lock
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.monitoring.status import collect
from infra.roles.health_check import trouble_of
from infra.services.environment import python_env
from infra.system.processes import claim_ports
from infra.system.repository import REPO
from tests.home import until
from tests.infra.containers.compose_file import ROLES, environment, option, service
from tests.infra.containers.images import locks_of
from tests.infra.roles.new_homes import new_home
from tests.kafka_process import kafka_process
from tests.patience import patience
from tests.redis_process import redis_process
from tests.session_cluster import SessionCluster, session_cluster

pytestmark = [pytest.mark.services, pytest.mark.timeout(patience(900))]

START = 240.0
"""Seconds for the job, which loads Python in two TaskManagers, on busy cores."""
STOP = 120.0


@dataclass(frozen=True)
class Role:
    """A role that runs as a process. log: what it writes to standard error and output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def await_well(self, command: list[str]) -> None:
        """Wait until its health check, the words behind `python`, finds nothing: in this process, then as it stands there."""
        *_, target = command

        def is_well() -> bool:
            assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()[-3000:]}"
            return trouble_of(target) is None

        until(is_well, START, f"{self.name} is well")
        done = subprocess.run(
            [sys.executable, *command], cwd=REPO, env=python_env(), capture_output=True, timeout=patience(60)
        )
        assert done.returncode == 0, done.stderr

    def stop(self) -> int:
        os.kill(self.process.pid, signal.SIGTERM)
        return self.process.wait(STOP)


class Machine:
    """Where compose's names are on this machine: hosts and ports by `names`, its folder of the home by `home`."""

    def __init__(self, names: dict[str, str], home: Home, folder: Path) -> None:
        self._names, self._folder = names, folder
        self._names["/var/lib/martlet"] = str(home.path)
        self.roles: dict[str, Role] = {}

    def _here(self, text: str) -> str:
        for name, here in self._names.items():
            text = text.replace(name, here)
        return text

    @contextmanager
    def role(self, name: str) -> Iterator[Role]:
        """Starts a service of compose.yaml, and waits until its health check passes, where it has one."""
        described, log = service(name), self._folder / f"{name}.log"
        image = described["image"].removeprefix("martlet-")
        packages = ["-m", "tests.infra.containers.as_in_image", ",".join(locks_of(image))]
        argv = [sys.executable, *packages, *(self._here(word) for word in described["command"])]
        env = python_env() | {variable: self._here(value) for variable, value in environment(name).items()}
        with log.open("wb") as out:
            process = subprocess.Popen(argv, cwd=REPO, env=env, stdout=out, stderr=out)
        role = Role(name, process, log)
        try:
            if "healthcheck" in described:
                role.await_well([self._here(word) for word in described["healthcheck"]["test"][2:]])
            yield role
        finally:
            process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    with session_cluster(tmp_path_factory.mktemp("cluster"), 2) as started:
        yield started


@pytest.mark.soak
def test_the_roles_of_compose_serve_a_click_and_end_in_order(cluster: SessionCluster, tmp_path: Path) -> None:
    home, key = new_home(tmp_path / "home")
    api_port, watch_port, nowhere = claim_ports(3)
    with ExitStack() as engines:
        broker = engines.enter_context(kafka_process(tmp_path / "kafka", topics=False))
        redis = engines.enter_context(redis_process(tmp_path))
        names = {
            "kafka:9092": broker.bootstrap,
            "redis:6379": f"127.0.0.1:{redis.port}",
            "http://jobmanager:8081": cluster.address,
            "model-server:8500": f"127.0.0.1:{nowhere}",
            "api:8000": f"127.0.0.1:{api_port}",
            "watch:9464": f"127.0.0.1:{watch_port}",
            "127.0.0.1:8000": f"127.0.0.1:{api_port}",
            "127.0.0.1:9464": f"127.0.0.1:{watch_port}",
            "0.0.0.0": "127.0.0.1",
            option("api", "--port"): str(api_port),
            option("watch", "--port"): str(watch_port),
        }
        machine = Machine(names, home, tmp_path)
        with machine.role("job") as job, machine.role("watch") as watch, machine.role("api") as api:
            settled_at = time.monotonic() + SETTLED
            a_click_changes_the_list(f"http://127.0.0.1:{api_port}", key)
            the_watch_sees_all(home, watch_port)
            (home.path / "serving.json").write_text('{"judge": {}, "learn": {}}')
            with machine.role("learn") as learn:
                until((home.run / "learner.lock").exists, 120, "the learner has read what was shown")
                assert learn.stop() == 0, learn.log.read_text()[-3000:]
            until(lambda: time.monotonic() > settled_at, 2 * SETTLED, "the job has run for long enough for a savepoint")
            codes = {each.name: each.stop() for each in (api, watch, job)}
    logs = {each.name: each.log.read_text()[-3000:] for each in (job, watch, api)}
    assert codes == dict.fromkeys(ROLES, 0), logs
    assert cluster.states(HomeRecord(home).job_name) == ["FINISHED"], logs
    assert list(home.checkpoints.glob("savepoint-*/_metadata")), logs


def a_click_changes_the_list(address: str, key: str) -> None:
    with httpx.Client(base_url=address, headers={"X-API-Key": key}, timeout=20, trust_env=False) as http:
        before = http.get("/v1/recommendations", params={"user_id": 7}).json()
        item = before["items"][0]["item_id"]
        event = {"event_id": "c-1", "type": "rating", "user_id": 7, "item_id": item, "rating": 5}
        sent = http.post("/v1/events", json=event)
        assert sent.status_code == 202, sent.text

        def applied() -> dict[str, Any] | None:
            answer: dict[str, Any] = http.get(
                "/v1/recommendations", params={"user_id": 7, "seen": sent.json()["seen"]}
            ).json()
            return answer if answer["freshness"]["seen_applied"] else None

        after = until(applied, 60, "the rating is applied")
        assert item not in [each["item_id"] for each in after["items"]]
        until(lambda: http.get("/v1/ops").json()["flow"], 60, "the API reads what the watch knows")


def the_watch_sees_all(home: Home, port: int) -> None:
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, trust_env=False).text
    assert "martlet_watched_at_seconds" in metrics
    assert (home.run / "models.config").exists()
    report = collect(home)
    assert (report["supervised"], report["attached"]["Flink"]) == (True, report["pages"]["flink"])
    assert report["alarms"]["age_ms"] < 60_000
    assert [each["error"] for each in report["api"]["processes"].values()] != []
    with pytest.raises(BadInput, match="which process"), home_lock(home):
        pass
    with pytest.raises(BadInput, match="which process"), watch_lock(home):
        pass
