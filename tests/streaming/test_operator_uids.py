"""The uids of the job's operators, by which a checkpoint or savepoint finds them: those that kept homes hold."""

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
from infra.system import packages
from infra.system.repository import REPO
from tests.streaming.crashes import settings_of

pytestmark = pytest.mark.services

UIDS = {
    "1_kafka",
    "2_calc",
    "3_kafka",
    "4_calc",
    "7_group-window-aggregate",
    "8_calc",
    "users",
    "items",
    "10_external-datastream",
    "11_calc",
    "12_sink",
    "Sink Committer: 12_sink",
    "13_external-datastream",
    "14_calc",
    "15_sink",
    "Sink Committer: 15_sink",
    "16_external-datastream",
    "17_calc",
    "18_sink",
    "Sink Committer: 18_sink",
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
nodes = env._j_stream_execution_environment.getStreamGraph(False).getStreamNodes().toArray()
print(json.dumps([node.getTransformationUID() for node in nodes]))
"""


@pytest.mark.parametrize("client", ["warm", pytest.param("cold", marks=pytest.mark.soak)])
def test_a_checkpoint_finds_its_operators_whichever_client_submits(
    client: str, tmp_path: Path, small_base: Base
) -> None:
    packages.jars("connector")
    settings = tmp_path / "job.json"
    settings.write_text(msgspec.json.encode(settings_of(small_base.folder, 6379)).decode())
    env = cluster.configure(Home(tmp_path / "home").make(), Ports.choose(0, {}))
    done = subprocess.run(
        [sys.executable, "-c", PRINT_UIDS, str(settings), client],
        env={**os.environ, **env},
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert {uid for uid in json.loads(done.stdout.splitlines()[-1]) if uid is not None} == UIDS
