"""The API as a service."""

import sys
from pathlib import Path

from features.errors import Unavailable
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services.environment import python_env
from infra.services.service import Service
from infra.system import probes


def api(home: Home, ports: Ports, settings: Path) -> Service:
    """Ready once it answers lists, ranked by a model or not."""

    def ready() -> None:
        there = probes.http_json(f"{ports.address}/readyz", also=503)["dependencies"]
        if away := [name for name, is_there in there.items() if not is_there and name != "models"]:
            raise Unavailable(f"the API has no {', '.join(away)} yet")

    return Service(
        "api",
        (sys.executable, "-m", "online", "--settings", settings),
        ready,
        env=python_env({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}),
        cwd=home.path,
        address=ports.address,
    )
