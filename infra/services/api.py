"""The API as a service: one process, or several on one port."""

import re
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from features.engines.host_port import host_port
from features.engines.loopback import ANY_ADDRESS, LOOPBACK
from features.errors import Unavailable
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services.environment import python_env
from infra.services.service import Service
from infra.settings.table import Api
from infra.system.processes import claim_ports
from infra.system.readiness import read_readiness

API: Final = "api"


def api(home: Home, ports: Ports, file: Path, settings: Api, count: int) -> list[Service]:
    """Returns `count` processes of the API, by the settings in `file`, as services, each ready once it serves lists, with or
    without a model. Each is reached alone at its `address`, on loopback and by plain HTTP."""
    taken = ports.named().values()  # some of which nobody listens on yet
    own_ports = claim_ports(count, taken) if count > 1 or not _is_plain(settings) else [None]
    return [_process(home, ports, file, number, own_port) for number, own_port in enumerate(own_ports, start=1)]


def _process(home: Home, ports: Ports, settings: Path, number: int, own_port: int | None) -> Service:
    address = ports.address if own_port is None else f"http://{LOOPBACK}:{own_port}"

    def ready() -> None:
        if missing := [name for name in read_readiness(address).missing if name != "models"]:
            raise Unavailable(f"the API has no {', '.join(missing)} yet")

    several = () if own_port is None else ("--number", str(number), "--own-port", str(own_port))
    return Service(
        API if number == 1 else f"{API}-{number}",
        (sys.executable, "-m", "online", "--settings", settings, *several),
        ready,
        env=python_env({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}),
        cwd=home.path,
        address=address,
    )


def reached_at(host: str, port: int, scheme: str = "http") -> str:
    """Returns the URL by which this machine reaches a server that listens on a host and port.

    >>> reached_at("0.0.0.0", 9464), reached_at("::1", 8000, "https")
    ('http://127.0.0.1:9464', 'https://[::1]:8000')
    """
    name = LOOPBACK if host in ANY_ADDRESS else host
    return f"{scheme}://{host_port(name, port)}"


def public_address(ports: Ports, settings: Api) -> str:
    """The URL by which the API and its pages are reached from here."""
    scheme = "http" if settings.certificate is None else "https"
    return reached_at(settings.host, ports.api, scheme)


def _is_plain(settings: Api) -> bool:
    """Whether loopback reaches the API's port by plain HTTP."""
    return settings.certificate is None and settings.host in (LOOPBACK, *ANY_ADDRESS)


def plain_address(status: Mapping[str, Any]) -> str:
    """The URL by which programs of this machine reach the API of a running home: its port; where that speaks TLS the first
    process alone."""
    address = str(status["address"])
    return address if address.startswith("http:") else addresses(status["services"])[API]


def addresses(services: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The addresses of the API's processes, by name, among the services of `run/status.json`."""
    return {name: each["address"] for name, each in services.items() if re.fullmatch(rf"{API}(-[0-9]+)?", name)}


def processes_at(address: str) -> list[str]:
    """Returns the addresses of the API's processes, one for each that the host of `address` has, in order. Raises Unavailable
    where that host is not known."""
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port is not None
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"{address}: {error}") from error
    return sorted({reached_at(str(each[4][0]), parts.port) for each in found})


def shared_folder(home: Home, count: int) -> Path | None:
    """Empties and returns the folder that several processes share; None for one, which needs none."""
    folder = home.run / "shared"
    shutil.rmtree(folder, ignore_errors=True)
    if count == 1:
        return None
    folder.mkdir(parents=True)
    return folder
