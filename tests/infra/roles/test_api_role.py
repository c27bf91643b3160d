"""`./martlet api`: one role in the foreground, by the settings alone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from features.errors import BadInput
from infra.home.access_file import add_key, ensure_access
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.roles.api_role import role_settings
from infra.roles.watch_role import run_watch
from infra.services.environment import python_env
from infra.system.processes import claim_ports
from infra.system.repository import REPO
from tests.certificates import self_signed
from tests.home import until
from tests.kafka_process import kafka_process
from tests.online.conftest import write_base
from tests.redis_process import redis_process

pytestmark = pytest.mark.services


def home_with_base(folder: Path) -> Home:
    home = Home(folder).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.0)
    write_base(home.bases / "1")
    ensure_access(home)
    record.take_base(1)
    record.save()
    return home


def test_the_api_alone_runs_by_the_settings_until_it_is_told_to_stop(tmp_path: Path) -> None:
    home = home_with_base(tmp_path / "home")
    certificate, key = self_signed(tmp_path, "api")
    port, nowhere = claim_ports(2)
    with kafka_process(tmp_path / "kafka") as broker, redis_process(tmp_path) as redis:
        variables = {
            "MARTLET_KAFKA_BOOTSTRAP": broker.bootstrap,
            "MARTLET_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            "MARTLET_MODELS_SERVER": f"127.0.0.1:{nowhere}",
            "MARTLET_API_CERTIFICATE": str(certificate),
            "MARTLET_API_KEY": str(key),
            "MARTLET_LOG_FORMAT": "json",
        }
        argv = [sys.executable, "-m", "infra", "api", "--home", str(home.path), "--port", str(port)]
        with (tmp_path / "api.log").open("wb") as log:
            process = subprocess.Popen(argv, cwd=REPO, env=python_env() | variables, stdout=log, stderr=log)
        try:
            with httpx.Client(
                base_url=f"https://127.0.0.1:{port}", verify=False, timeout=10, trust_env=False
            ) as client:

                def answers() -> bool:
                    assert process.poll() is None, (tmp_path / "api.log").read_text()[-3000:]
                    try:
                        return bool(client.get("/readyz").json()["dependencies"]["kafka"])
                    except httpx.TransportError:
                        return False

                until(answers, 180, "the API has Kafka")
                shown = client.get("/v1/recommendations", params={"user_id": 7}).json()
                event = {"event_id": "e-1", "type": "click", "user_id": 7, "item_id": 2}
                assert client.post("/v1/events", json=event).status_code == 202
                os.kill(process.pid, signal.SIGTERM)
                assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait(10)
    lines = [json.loads(line) for line in (tmp_path / "api.log").read_text().splitlines()]
    requests = {line["route"]: line for line in lines if line["logger"] == "online.requests"}
    assert requests["/v1/recommendations"]["request_ids"] == [shown["request_id"]]
    assert requests["/v1/events"]["event_ids"] == ["e-1"]


def test_an_engine_that_is_not_named_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_with_base(tmp_path / "home")
    with pytest.raises(BadInput, match=r"kafka\.bootstrap: expected an engine that runs already"):
        role_settings(home, 8000)
    text = '[kafka]\nbootstrap = "a:1"\n[redis]\nurl = "redis://a"\n[models]\nserver = "a:1"\n[api]\nhost = "0.0.0.0"\n'
    (home.path / "martlet.toml").write_text(text)
    with pytest.raises(BadInput, match=r"api\.host: expected 127\.0\.0\.1, or keys in access\.json"):
        role_settings(home, 8000)
    add_key(home, "shop", "read", None)
    settings = role_settings(home, 8001)
    assert (settings.host, settings.port, settings.kafka.bootstrap) == ("0.0.0.0", 8001, "a:1")
    other = Home(tmp_path / "other").make()
    (other.path / "martlet.toml").write_text(text)
    with pytest.raises(BadInput, match="which has no base in use yet"):
        role_settings(other, 8000)


def test_an_api_with_tls_is_refused_where_the_watch_reaches_it_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, (certificate, key) = home_with_base(tmp_path / "home"), self_signed(tmp_path, "api")
    for name, value in {
        "KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "MODELS_SERVER": "127.0.0.1:1",
        "FLINK_ADDRESS": "http://127.0.0.1:1",
        "API_CERTIFICATE": str(certificate),
        "API_KEY": str(key),
    }.items():
        monkeypatch.setenv(f"MARTLET_{name}", value)
    assert role_settings(home, 8000).certificate == str(certificate)
    monkeypatch.setenv("MARTLET_API_ADDRESS", "http://api:8000")
    refused = r"api\.certificate: expected none beside api\.address, .* by plain HTTP: .* a proxy .*, got .*/api\.pem"
    with pytest.raises(BadInput, match=refused):
        role_settings(home, 8000)
    with pytest.raises(BadInput, match=refused):
        run_watch(home, claim_ports(1)[0])
