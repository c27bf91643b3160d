"""The engines of a home: what is left of a start that was broken off, and what is stopped whatever becomes of the job."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT
from types import SimpleNamespace
from typing import Any

import pytest

from features.errors import BadInput, MartletError
from features.fold.state import FOLD_VERSION
from infra.home.paths import Home
from infra.home.ports import claimed_api
from infra.services.service import Service
from infra.stack import Stack
from infra.system.processes import ProcessId, free_ports
from infra.system.progress import Steps
from infra.system.repository import REPO
from infra.up_options import UpOptions
from tests.infra.home.empty_base import empty_base
from tests.schemas import MOVIES


@pytest.mark.parametrize(("scale", "left"), [(True, []), (False, ["appendonlydir"])])
def test_a_home_that_gets_several_servers_begins_with_an_empty_redis(home: Home, scale: bool, left: list[str]) -> None:
    """What a start without --scale had loaded there is in no cluster's slots; what a home of one server has is its own."""
    with Stack.opened(home, UpOptions(dataset="none"), Steps()):
        (home.redis / "appendonlydir").mkdir(parents=True)
    with Stack.opened(home, UpOptions(dataset="none", scale=scale), Steps()):
        pass
    assert [each.name for each in home.redis.glob("*")] == left
    (home.redis / "appendonlydir").mkdir(parents=True, exist_ok=True)
    with Stack.opened(home, UpOptions(dataset="none", scale=scale), Steps()):
        pass
    assert [each.name for each in home.redis.glob("*")] == ["appendonlydir"]


def test_a_home_that_has_a_base_starts_without_the_files_and_says_so(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    with Stack.opened(home, UpOptions(dataset=str(shop)), Steps()):
        folder = empty_base(home.bases / "1", MOVIES)
    manifest = {"dataset": "shop", "fold_version": FOLD_VERSION, "schema": MOVIES.digest}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    shop.rmdir()
    with Stack.opened(home, UpOptions(dataset=str(shop)), Steps()) as stack:
        stack.make_base()
    assert f"{shop} is gone; base 1 stays\n" in capsys.readouterr().out


def test_processes_are_stopped_though_the_job_can_not_be(home: Home) -> None:
    def stop() -> None:
        raise KeyError("an answer that nobody expected")

    def run() -> None:
        with Stack.opened(home, UpOptions(dataset="none"), Steps()) as stack:
            sleeps = (sys.executable, "-c", "import time; time.sleep(60)")
            stack.supervisor.start(Service("child", sleeps, lambda: None))
            children.append(stack.supervisor.child_id("child"))
            stack.keeper = keeper

    keeper: Any = SimpleNamespace(stop=stop)
    children: list[ProcessId] = []
    with pytest.raises(KeyError):
        run()
    assert [child.process() for child in children] == [None]
    assert not home.status_file.exists()


OPEN = """
import sys
from pathlib import Path
from infra.home.paths import Home
from infra.stack import Stack
from infra.system.progress import Steps
from infra.up_options import UpOptions
from tests.infra.home.empty_base import empty_base
from tests.schemas import MOVIES
with Stack.opened(Home(Path(sys.argv[1])), UpOptions(dataset="none", port=int(sys.argv[2])), Steps()):
    print("open", flush=True)
    sys.stdin.read()
"""


@contextmanager
def open_elsewhere(folder: Path, port: int) -> Iterator[None]:
    """A home of another process, whose API is to have a port, and does not listen yet."""
    argv = [sys.executable, "-c", OPEN, str(folder), str(port)]
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, stderr=STDOUT, text=True, cwd=REPO) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line == "open\n", line
            yield
        finally:
            process.communicate(timeout=20)


@pytest.mark.skipif(sys.platform != "linux", reason="a claim is a name of Linux'")
def test_the_port_of_the_api_is_a_homes_though_nobody_listens_on_it_yet(home: Home, tmp_path: Path) -> None:
    """Two homes would mix: processes of the API share their port with any others of the same user."""
    (port,) = free_ports(1)

    def run() -> None:
        with Stack.opened(home, UpOptions(dataset="none", port=port), Steps()):
            pass

    with (
        open_elsewhere(tmp_path / "one", port),
        pytest.raises(BadInput, match=f"--port: .*, got {port}, which another `up` has claimed"),
    ):
        run()
    with claimed_api(port):  # this process lives on: its claim does not
        pass
    with open_elsewhere(tmp_path / "two", port):
        pass


@pytest.mark.services
def test_a_folder_that_kafka_can_not_prepare_is_said_with_kafkas_own_words(home: Home) -> None:
    def run() -> None:
        with Stack.opened(home, UpOptions(dataset="none"), Steps()) as stack:
            stack.fetch_packages()
            (home.kafka / "data").write_text("a file, where a folder is to be")
            stack.start_kafka()

    with pytest.raises(MartletError, match=r"Kafka's folder could not be prepared, exit code 1:\n(.|\n)*data"):
        run()
    assert not home.status_file.exists()
