"""A home keeps to itself: it listens on loopback alone, and writes nowhere but below its folder."""

from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import psutil
import pytest

from infra.system import class_archive
from tests.home import Martlet

pytestmark = pytest.mark.home


def processes_of(martlet: Martlet) -> list[psutil.Process]:
    """The supervisor, every service, and all that they have started."""
    status = martlet.status()
    pids = [status["supervisor"]["pid"], *(entry["pid"] for entry in status["services"].values())]
    found = {pid: psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)}
    for process in list(found.values()):
        found |= {child.pid: child for child in process.children(recursive=True)}
    return list(found.values())


def is_loopback(address: str) -> bool:
    """Also of an IPv4 address as an IPv6 socket names it."""
    found = ip_address(address)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback


def written_by(process: psutil.Process) -> Iterator[Path]:
    """Regular files that a process has open for writing."""
    try:
        for file in process.open_files():
            if getattr(file, "mode", "r") != "r":
                yield Path(file.path)
    except psutil.NoSuchProcess:
        return


def test_it_listens_on_loopback_alone(martlet: Martlet) -> None:
    listening: dict[int, str] = {}
    for process in processes_of(martlet):
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            continue
        listening |= {each.laddr.port: each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
    ports = {name: port for name, port in martlet.status()["ports"].items() if not name.startswith("zookeeper_peer")}
    assert set(ports.values()) <= set(listening), (
        "every service is looked at"
    )  # but where only the first of peers listens
    assert {port: address for port, address in listening.items() if not is_loopback(address)} == {}


def test_it_writes_below_its_own_folder_alone(martlet: Martlet) -> None:
    written = {path for process in processes_of(martlet) for path in written_by(process)}
    assert any(path.is_relative_to(martlet.home / "kafka") for path in written), "the log is looked at"
    allowed = (martlet.home, class_archive.STORE, Path("/dev"))
    """What a home's first start makes for all homes of the environment, it makes beside their jars."""
    assert {path for path in written if not any(path.is_relative_to(each) for each in allowed)} == set()


def test_doctor_finds_nothing_missing_where_a_home_runs(martlet: Martlet) -> None:
    port = martlet.address.rsplit(":", 1)[1]
    done = martlet.command("doctor", "--port", port)
    lines = done.stdout.splitlines()
    well = {line.split(":")[0].removeprefix("ok").strip() for line in lines if line.startswith("ok")}
    assert {
        "Python",
        "Java runtime",
        "Redis server",
        "jars of kafka",
        "jars of connector",
        "jars of compiler",
        "port",
    } <= well
    assert f"{port} is taken by this home's own API, which runs" in done.stdout
    assert done.returncode == int(any(line.startswith("MISSING") for line in lines))
