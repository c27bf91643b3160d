"""An API process over a base alone: Redis, Kafka and the model server are nowhere, so its lists are those of the last rung."""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from features.engines.kafka_address import KafkaAddress
from features.engines.redis_address import RedisAddress
from features.errors import Unavailable
from infra.services.environment import python_env
from infra.system.processes import free_ports
from infra.system.repository import REPO
from online.settings import ApiSettings

READY_S = 600.0
NOWHERE = "127.0.0.1:9"


class BareApi:
    """A process that listens at `port`; memory in MB, of the whole process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process, self._port = psutil.Process(process.pid), port

    def memory(self) -> float:
        return float(self._process.memory_info().rss / 1e6)

    def list_ms(self, user_id: int) -> float:
        """The milliseconds that one list takes. Raises Unavailable for another status than 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        began = time.perf_counter()
        try:
            connection.request("GET", f"/v1/recommendations?user_id={user_id}")
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise Unavailable(f"a list: HTTP {response.status}")
            return (time.perf_counter() - began) * 1000
        finally:
            connection.close()

    def wait_ready(self) -> float:
        """The seconds until it answers. Raises Unavailable after READY_S."""
        began = time.monotonic()
        while time.monotonic() - began < READY_S and self._process.is_running():
            try:
                self.list_ms(1)
            except OSError:
                time.sleep(0.05)
            else:
                return time.monotonic() - began
        raise Unavailable("the API did not come up")


@contextmanager
def bare_api(base: Path, folder: Path) -> Iterator[BareApi]:
    """Run one over a base, with its settings under `folder`; it is killed in the end."""
    (port,) = free_ports(1)
    settings = ApiSettings(
        port=port,
        kafka=KafkaAddress(NOWHERE),
        redis=RedisAddress("127.0.0.1", 9),
        model_server=NOWHERE,
        models=str(folder / "models"),
        base=str(base),
        generation=1,
    )
    file = folder / "api.json"
    file.write_bytes(msgspec.json.encode(settings))
    command = [sys.executable, "-m", "online", "--settings", str(file)]
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=REPO, env=python_env(), stdout=log, stderr=log)
        try:
            yield BareApi(process, port)
        finally:
            process.kill()
            process.wait(30)
