"""The embedded model server as a service."""

import sys
from pathlib import Path

from features.engines.loopback import LOOPBACK
from features.errors import Unavailable
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services.environment import python_env
from infra.services.service import Service
from infra.system import probes
from models.registry import list_models


def rest_address(ports: Ports) -> str:
    """Returns the URL of its REST interface."""
    return f"http://{LOOPBACK}:{ports.model_rest}"


def model_server(home: Home, ports: Ports, config: Path) -> Service:
    def ready() -> None:
        address = f"{rest_address(ports)}/v1/models"
        probes.http_status(f"{address}/recmodel")
        for name in list_models(home.models):
            versions = probes.http_json(f"{address}/{name}")["model_version_status"]
            if not any(each["state"] == "AVAILABLE" for each in versions):
                raise Unavailable(f"no version of {name} is available yet: {versions}")

    return Service(
        "model-server",
        (
            sys.executable,
            "-m",
            "models.server",
            f"--model_config_file={config}",
            "--model_config_file_poll_wait_seconds=1",
            f"--rest_api_port={ports.model_rest}",
            f"--port={ports.model_grpc}",
        ),
        ready,
        env=python_env({"TF_CPP_MIN_LOG_LEVEL": "2"}),
        cwd=home.models,
        address=f"{LOOPBACK}:{ports.model_rest}, gRPC {ports.model_grpc}",
    )
