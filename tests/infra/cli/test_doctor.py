"""What `doctor` says of this machine, and of a home that runs on it."""

import os
import re
import socket
from pathlib import Path

import pytest

from infra.cli.doctor import DISK_GB, MEMORY_GB, PACKAGES_GB, examine
from infra.home.home_lock import home_lock
from infra.home.paths import Home, write_json
from infra.system.processes import ProcessId
from infra.system.repository import REPO


def lines(home: Home, port: int = 8000) -> list[str]:
    output: list[str] = []
    examine(home, port, output.append)
    return output


def port_line(home: Home, port: int) -> str:
    (line,) = [each for each in lines(home, port) if " port: " in each]
    return line


def test_a_port_that_another_holds_is_missing_and_the_homes_own_is_not(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    me = ProcessId.of(os.getpid())
    assert me is not None
    names = ("redis", "kafka", "kafka_controller", "flink_rpc", "flink_rest", "model_rest", "model_grpc", "watch")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert re.fullmatch(rf"MISSING port: {port} is taken by process {me.pid} .*--port", port_line(home, port))
        supervisor = {"pid": me.pid, "started": me.started}
        status = {"supervisor": supervisor, "ports": dict.fromkeys(names, 1) | {"api": port}, "services": {}}
        write_json(home.status_file, status)
        with home_lock(home):
            assert port_line(home, port) == f"ok      port: {port} is taken by this home's own API, which runs"
        # that one has died
        assert port_line(home, port).startswith(f"MISSING port: {port} is taken by process")
    assert port_line(home, port) == f"ok      port: {port} is free"


@pytest.mark.parametrize(
    ("more", "said"), [("", "without TLS: keys can be read"), ('certificate = "a"\nkey = "b"\n', "by TLS")]
)
def test_an_api_that_other_machines_reach_says_whether_by_tls(tmp_path: Path, more: str, said: str) -> None:
    home = Home(tmp_path).make()
    assert not [line for line in lines(home) if " API: " in line]
    (tmp_path / "martlet.toml").write_text(f'[api]\nhost = "0.0.0.0"\n{more}')
    (line,) = [line for line in lines(home) if " API: " in line]
    assert line.startswith(f"ok      API: listens on 0.0.0.0 {said}")


def test_readme_and_launcher_ask_for_the_same_room() -> None:
    assert f"{DISK_GB} GB of disk and about {MEMORY_GB} GB of memory" in (REPO / "README.md").read_text()
    launcher = (REPO / "martlet").read_text()
    assert re.findall(r"-ge (\d+)000000\b", launcher) == [str(DISK_GB)]
    assert re.findall(r"about (\d+) GB, once", launcher) == [str(PACKAGES_GB)]
