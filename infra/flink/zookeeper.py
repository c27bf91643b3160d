"""ZooKeeper as services, from what Flink's distribution brings: the servers by which JobManagers agree on which of them leads.

What they keep is of one run of the cluster alone, so each `up` begins with empty folders: the job is started from the checkpoints
of the home.
"""

import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from features.engines.loopback import LOOPBACK
from features.errors import Unavailable
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services.environment import python_env
from infra.services.service import Service
from infra.system.java_properties import properties_text

TICK_MS = 500
SESSION_MS = 3000
"""How long a JobManager may be silent before another leads: a multiple of the tick, from 2 to 20."""
_MAIN = "org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer"
MEMORY = ("-Xmx64m",)
"""Java's options."""
_TIMEOUT = 1.0


def quorum(ports: Ports, coordinators: int) -> str:
    """Returns the addresses of all servers, as Flink takes them."""
    return ",".join(f"{LOOPBACK}:{ports.of('zookeeper', number)}" for number in range(1, coordinators + 1))


def zookeeper(home: Home, ports: Ports, number: int, coordinators: int, java: Sequence[str | Path]) -> Service:
    """Returns server `number` of so many as a service, its folder emptied; ready once a majority serves. java: the command line
    that runs one of Flink's classes."""
    folder, port = home.flink / f"zookeeper-{number}", ports.of("zookeeper", number)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    peers = {
        f"server.{each}": f"{LOOPBACK}:{ports.of('zookeeper_peer', each)}:{ports.of('zookeeper_vote', each)}"
        for each in range(1, coordinators + 1)
    }
    settings = {
        "tickTime": TICK_MS,
        "initLimit": 40,
        "syncLimit": 10,
        "dataDir": folder,
        "clientPort": port,
        "clientPortAddress": LOOPBACK,
        "admin.enableServer": "false",
        "autopurge.purgeInterval": 1,
        **peers,
    }
    config = folder / "zoo.cfg"
    config.write_text(properties_text(settings))
    return Service(
        f"zookeeper-{number}",
        (*java, _MAIN, "--zkConfigFile", config, "--peerId", str(number)),
        lambda: _await_served(port),
        env=python_env(),
        cwd=folder,
        address=f"{LOOPBACK}:{port}",
    )


def _await_served(port: int) -> None:
    """Raise Unavailable while a server does not serve clients."""
    try:
        with socket.create_connection((LOOPBACK, port), _TIMEOUT) as connection:
            connection.sendall(b"srvr")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError as error:
        raise Unavailable(f"ZooKeeper on port {port}: {error}") from error
    if b"Mode: " not in answer:
        raise Unavailable(
            f"ZooKeeper on port {port} does not serve yet: {answer.decode(errors='replace').strip()[:200]}"
        )
