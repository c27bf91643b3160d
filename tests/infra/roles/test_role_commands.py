"""Roles that can't start: one clear line in the form that is asked for, and an exit code that says whether to try again."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.home.paths import Home, read_json
from infra.home.record import HomeRecord
from infra.services.environment import python_env
from infra.services.supervisor import Supervisor
from infra.system.processes import free_ports
from infra.system.repository import REPO
from tests.infra.roles.new_homes import described_home, new_home
from tests.patience import patience
from tests.redis_process import redis_process

pytestmark = pytest.mark.services

NAMED = {
    "MARTLET_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "MARTLET_REDIS_URL": "redis://127.0.0.1:1/0",
    "MARTLET_FLINK_ADDRESS": "http://127.0.0.1:1",
    "MARTLET_MODELS_SERVER": "127.0.0.1:1",
}


def run_role(role: str, home: Home, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "infra", role, "--home", str(home.path)]
    argv += {"job": [], "learn": ["--run"]}.get(role, ["--port", str(free_ports(1)[0])])
    return subprocess.run(
        argv, cwd=REPO, env=python_env() | dict(variables), capture_output=True, text=True, timeout=patience(120)
    )


@pytest.mark.parametrize("role", ["job", "watch", "api", "learn"])
def test_a_role_names_the_engine_that_no_setting_names(role: str, tmp_path: Path) -> None:
    done = run_role(role, described_home(tmp_path), {})
    text = f"martlet: kafka.bootstrap: expected an engine that runs already, since `{role}` starts none, got none"
    assert (done.returncode, done.stderr.strip()) == (1, text)


def test_a_role_that_logs_json_says_what_is_wrong_in_json(tmp_path: Path) -> None:
    done = run_role("watch", described_home(tmp_path), NAMED | {"MARTLET_LOG_FORMAT": "json"})
    line = json.loads(done.stderr)
    assert (done.returncode, line["level"]) == (1, "error")
    assert "expected a home whose job has run" in line["message"]


def test_a_job_without_a_base_is_told_what_makes_one(tmp_path: Path) -> None:
    home = described_home(tmp_path)
    done = run_role("job", home, NAMED)
    assert done.returncode == 1
    assert "a home with a base of this version: ./martlet features makes one" in done.stderr
    assert not home.status_file.exists()


def test_a_learner_of_a_home_whose_job_nobody_runs_is_worth_another_try(tmp_path: Path) -> None:
    home, _ = new_home(tmp_path)
    record = HomeRecord(home)
    record.take_base(1)
    record.save()
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {}}')
    done = run_role("learn", home, NAMED)
    assert done.returncode == 3, done.stderr
    assert "nothing runs in" in done.stderr


def test_up_stops_what_a_watch_that_was_killed_has_left(tmp_path: Path) -> None:
    home, _ = new_home(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as judge:
        watch = Supervisor(home, home.watch_file)
        with watch.attending("judge", judge, grace=0.5):
            done = run_role("up", home, NAMED)  # it fails later: no engine is there
            assert "stopped judge" in done.stdout, done.stderr
            assert judge.wait(20) != 0
            assert read_json(home.watch_file) is None


def test_an_engine_that_does_not_answer_is_worth_another_try(tmp_path: Path) -> None:
    home, _ = new_home(tmp_path / "home")
    done = run_role("job", home, NAMED)
    assert done.returncode == 3, done.stderr
    assert "Flink" in done.stderr
    (tmp_path / "redis").mkdir()
    with redis_process(tmp_path / "redis") as redis:
        done = run_role("job", home, NAMED | {"MARTLET_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"})
        assert done.returncode == 3, done.stderr
        assert redis.client.dbsize() == 0, "nothing is written while Flink is away"
