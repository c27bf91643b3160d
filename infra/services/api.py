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
    """Returns the API as a service, ready once it serves lists, with or without a model."""

    def ready() -> None:
        dependencies = probes.http_json(f"{ports.address}/readyz", also=503)["dependencies"]
        if missing := [name for name, is_available in dependencies.items() if not is_available and name != "models"]:
            raise Unavailable(f"the API has no {', '.join(missing)} yet")

    return Service(
        "api",
        (sys.executable, "-m", "online", "--settings", settings),
        ready,
        env=python_env({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}),
        cwd=home.path,
        address=ports.address,
    )
