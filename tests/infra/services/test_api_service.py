"""The API's processes under the supervisor: each is ready, reached and restarted on its own, with TLS on the port they share."""

import os
import signal
import ssl
from pathlib import Path

import httpx
import msgspec
import pytest

from features.engines.loopback import LOOPBACK
from features.engines.redis_address import RedisAddress
from features.engines.shared_engines import Engines
from features.keys import LOADED_KEY
from infra.home.access_file import ensure_access
from infra.home.ports import Ports
from infra.home.record import HomeRecord
from infra.monitoring.status import read_api
from infra.services import api
from infra.services.api_settings import api_settings
from infra.services.model_server_config import ServingConfig
from infra.settings.table import Api, Settings
from infra.system.processes import claim_ports
from tests.certificates import self_signed
from tests.home import until
from tests.kafka_process import kafka_process
from tests.online.conftest import write_base
from tests.redis_process import redis_process

pytestmark = pytest.mark.services


def test_two_processes_by_tls_are_ready_asked_and_restarted_each_on_its_own(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "api")
    settings = Settings(api=Api(processes=2, certificate=str(certificate), key=str(key)))
    with kafka_process(tmp_path / "home") as broker, redis_process(tmp_path) as redis:
        redis.client.set(LOADED_KEY, 1)
        home, supervisor = broker.home, broker.supervisor
        record = HomeRecord(home)
        write_base(home.bases / "1")
        record.take_base(1)
        ensure_access(home)
        ports = Ports.choose(claim_ports(1)[0], {})
        engines = Engines(broker.address, RedisAddress(LOOPBACK, redis.port))
        shared = str(api.shared_folder(home, 2))
        file = home.run / "api.json"
        of_home = api_settings(
            home, record, settings, engines, ports.api, f"{LOOPBACK}:{claim_ports(1)[0]}", shared=shared
        )
        file.write_bytes(msgspec.json.encode(of_home))
        services = api.api(home, ports, file, settings.api, settings.api.processes or 1)
        for service in services:
            supervisor.begin(service)
        for service in services:
            supervisor.await_ready(service)
        supervisor.start_monitor()
        status = msgspec.json.decode(home.status_file.read_bytes())
        addresses = api.addresses(status["services"])
        assert list(addresses) == ["api", "api-2"]
        assert api.plain_address({"address": api.public_address(ports, settings.api), **status}) == addresses["api"]
        assert all(process["error"] is None for process in read_api(addresses)["processes"].values())
        ServingConfig(home, lambda: list(addresses.values())).write()

        trusting = ssl.create_default_context(cafile=certificate)
        url = f"{api.public_address(ports, settings.api)}/v1/genres"
        assert httpx.get(url, verify=trusting, trust_env=False).status_code == 200
        os.kill(supervisor.child_id("api-2").pid, signal.SIGKILL)
        for _ in range(20):
            assert httpx.get(f"{addresses['api']}/v1/genres", trust_env=False).status_code == 200

        def is_back() -> bool:
            answer = all(each["models"] is not None for each in read_api(addresses)["processes"].values())
            return answer and supervisor_restarts(home.status_file) == {"api": 0, "api-2": 1}

        until(is_back, 120, "the killed one is back, and the other was left alone")


def supervisor_restarts(status: Path) -> dict[str, int]:
    services = msgspec.json.decode(status.read_bytes())["services"]
    return {name: each["restarts"] for name, each in services.items() if name.startswith("api")}
