"""A real API process that speaks TLS: on its port by nothing else, on its own one by plain HTTP."""

import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import pytest

from infra.services.environment import python_env
from infra.system.processes import claim_ports
from infra.system.repository import REPO
from tests.certificates import self_signed
from tests.home import until
from tests.online.conftest import api_settings, write_base

pytestmark = pytest.mark.services


def test_the_port_speaks_tls_and_pages_api_and_health_go_over_it(tmp_path: Path) -> None:
    write_base(tmp_path / "base" / "1")
    certificate, key = self_signed(tmp_path, "api")
    port, own = claim_ports(2)
    settings = api_settings(tmp_path, port=port, certificate=str(certificate), key=str(key))
    (tmp_path / "api.json").write_bytes(msgspec.json.encode(settings))
    argv = [sys.executable, "-m", "online", "--settings", str(tmp_path / "api.json"), "--own-port", str(own)]
    with (tmp_path / "api.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=REPO, env=python_env(), stdout=log, stderr=log)

    def alive() -> bool:
        assert process.poll() is None, (tmp_path / "api.log").read_text()[-3000:]
        try:
            return httpx.get(f"http://127.0.0.1:{own}/healthz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(alive, 180, "the process answers")
        trusting = ssl.create_default_context(cafile=certificate)
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusting, timeout=20, trust_env=False) as client:
            for path in ("/", "/healthz", "/metrics", "/openapi.json", "/v1/genres", "/v1/recommendations?user_id=7"):
                assert client.get(path).status_code == 200, path
            page = {"Origin": f"https://127.0.0.1:{port}"}
            assert client.post("/v1/rank", json={"user_id": 7, "item_ids": [1]}, headers=page).status_code == 200
        with socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
            assert silent.recv(1) == b"", "a caller that does not begin to speak TLS is let go"
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(f"https://127.0.0.1:{port}/healthz", trust_env=False)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
    finally:
        process.terminate()
        assert process.wait(30) == 0
