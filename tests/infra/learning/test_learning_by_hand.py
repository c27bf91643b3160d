"""`./martlet learn --once`, told to stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.engines.shared_engines import Engines
from infra.home.home_lock import home_lock
from infra.home.paths import Home, write_json
from infra.home.record import HomeRecord
from infra.learning.learner_service import learner_lock
from infra.services.environment import python_env
from infra.system.repository import REPO
from tests.infra.roles.new_homes import new_home
from tests.patience import patience

pytestmark = pytest.mark.services


@pytest.fixture
def learning_home(tmp_path: Path) -> Home:
    """A home that learns, whose engines are not there."""
    home, _ = new_home(tmp_path)
    record = HomeRecord(home)
    record.take_base(1)
    record.save()
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {}}')
    engines = Engines(KafkaAddress("127.0.0.1:1"), RedisAddress("127.0.0.1", 1))
    home.engines_file.write_bytes(msgspec.json.encode(engines))
    write_json(home.status_file, {"services": {}})
    return home


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGHUP, marks=pytest.mark.soak),
        pytest.param(signal.SIGINT, marks=pytest.mark.soak),
    ],
)
def test_a_signal_to_stop_lets_what_is_being_learned_end(learning_home: Home, number: signal.Signals) -> None:
    run = "import runpy, signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); runpy.run_module('infra', run_name='__main__')"
    argv = [sys.executable, "-c", run, "learn", "--once", "--home", str(learning_home.path)]
    with (
        home_lock(learning_home),
        learner_lock(learning_home, print),
        subprocess.Popen(argv, cwd=REPO, env=python_env(), stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            process.send_signal(number)
            said, _ = process.communicate(timeout=patience(40))
        finally:
            process.kill()
    assert line == f"waits for process {os.getpid()}, which learns for {learning_home.path}\n"
    assert said == "stopped: the next run learns what was shown\n"
    assert process.returncode == 130
