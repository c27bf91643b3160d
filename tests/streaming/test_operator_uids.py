"""The uids of the job's operators, by which a checkpoint or savepoint finds them: those that kept homes hold; and its tasks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from features.base.reader import Base
from infra.flink import cluster
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.system.repository import REPO
from tests.patience import patience
from tests.streaming.crashes import settings_of

pytestmark = pytest.mark.services

UIDS = {
    "log",
    "batches",
    "users",
    "items",
    "1_external-datastream",
    "2_calc",
    "3_sink",
    "Sink Committer: 3_sink",
    "4_external-datastream",
    "5_calc",
    "6_sink",
    "Sink Committer: 6_sink",
    "7_external-datastream",
    "8_calc",
    "9_sink",
    "Sink Committer: 9_sink",
}
PRINT_UIDS = """
import json, sys
from pathlib import Path
from streaming.job import build, warm_planner
from streaming.remote_environment import remote_environment
from streaming.settings import read_settings
if sys.argv[2] == "warm":
    warm_planner()
env = remote_environment()
build(env, read_settings(Path(sys.argv[1])))
graph = env._j_stream_execution_environment.getStreamGraph(False)
uids = [node.getTransformationUID() for node in graph.getStreamNodes().toArray()]
print(json.dumps([uids, [task.getName() for task in graph.getJobGraph().getVerticesAsArray()]]))
"""


@pytest.mark.soak
@pytest.mark.parametrize("client", ["warm", pytest.param("cold", marks=pytest.mark.soak)])
def test_a_checkpoint_finds_its_operators_whichever_client_submits(
    client: str, tmp_path: Path, small_base: Base
) -> None:
    settings = tmp_path / "job.json"
    settings.write_text(msgspec.json.encode(settings_of(small_base.folder, 6379)).decode())
    env = cluster.configure(Home(tmp_path / "home").make(), Ports.choose(0, {}))
    done = subprocess.run(
        [sys.executable, "-c", PRINT_UIDS, str(settings), client],
        env={**os.environ, **env},
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=patience(180),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    uids, tasks = json.loads(done.stdout.splitlines()[-1])
    assert {uid for uid in uids if uid is not None} == UIDS
    # Each alone: a sink's producer would be opened before the fold goes on, and beside another operator in Python compiled code
    # waits for ever for its own thread's lock.
    assert {"users", "items"} <= set(tasks)
