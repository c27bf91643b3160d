"""A home attached to a Kafka that demands TLS, a password and ACLs, and to a Redis by TLS and ACL: it works as any other, and
leaves to both what was there."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from features.keys import HOME_KEY
from infra.attached.redis_entry import GRANT
from tests.home import Martlet, run_martlet, running
from tests.ledger import verify
from tests.patience import patience
from tests.redis_process import RedisProcess, redis_process
from tests.secured_engines import ALL_RIGHTS, PASSWORD, USER, SecuredBroker, by_tls, certificates, secured_kafka
from tests.seed import HISTORY, seed

pytestmark = [pytest.mark.broken, pytest.mark.soak, pytest.mark.timeout(patience(1200))]

SETTINGS = """
[kafka]
bootstrap = "{kafka}"
topic_prefix = "shop."
tls = true
ca = "{ca}"
certificate = "{certificate}"
user = "{user}"
password = {password}

[redis]
url = "rediss://127.0.0.1:{redis}/1"
user = "{user}"
password = {password}
ca = "{ca}"
"""


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SecuredBroker, RedisProcess, str]]:
    """A Kafka and a Redis with something of somebody else's in them, and the settings by which a home enters them."""
    folder = tmp_path_factory.mktemp("engines")
    drawn = certificates(folder / "certificates")
    shown = drawn.signed("IP:127.0.0.1")
    (folder / "redis").mkdir()
    with secured_kafka(folder / "kafka", drawn, shown) as broker, redis_process(folder / "redis") as server:
        broker.grant("shop.", ALL_RIGHTS)
        client: Any = server.client  # of redis-py, without types
        rules = [rule.replace(">PASSWORD", f">{PASSWORD}") for rule in GRANT.format(user=USER).split()[2:]]
        client.execute_command("ACL", "SETUSER", *rules)
        server.client.set("somebody's", "1")
        admin = KafkaAdminClient(**broker.admin.client_options())
        admin.create_topics([NewTopic("somebody.events", 1, 1)])
        admin.close()
        with by_tls(server.port, shown) as port:
            text = SETTINGS.format(
                kafka=broker.address.bootstrap,
                certificate=broker.certificate,
                redis=port,
                ca=drawn.ca,
                user=USER,
                password=json.dumps(PASSWORD),
            )
            yield broker, server, text


@pytest.fixture(scope="module")
def attached(
    engines: tuple[SecuredBroker, RedisProcess, str], tmp_path_factory: pytest.TempPathFactory, seeds: Path
) -> Iterator[Martlet]:
    home = tmp_path_factory.mktemp("attached")
    file = home / "martlet.toml"
    file.touch(0o600)
    file.write_text(engines[2])
    with running(home, seed=seed(HISTORY, seeds)) as started:
        yield started


def test_a_rating_is_in_the_next_list_and_a_replay_is_folded(attached: Martlet) -> None:
    assert set(attached.status()["attached"]) == {"Kafka", "Redis"}
    assert not {"kafka", "redis"} & set(attached.status()["services"])
    answer = attached.post({"type": "rating", "user_id": 6, "item_id": 50, "rating": 5})
    assert answer.status_code == 202, answer.text
    attached.applied(6, answer.json()["seen"])
    listed = attached.whole(6)
    assert 50 not in [item["item_id"] for item in listed["items"]]
    replayed = attached.command("replay", "--speed", "max", "--to", "1998-03-15")
    assert replayed.returncode == 0, replayed.stderr
    assert verify(attached)["applied"] > 1


def test_the_doctor_asks_the_attached_engines(attached: Martlet) -> None:
    found = attached.command("doctor").stdout
    assert "ok      Kafka: rights: User:martlet may read" in found
    assert "ok      Redis: owner: this home's" in found


def test_no_secret_is_where_others_may_read(attached: Martlet) -> None:
    secrets = (PASSWORD.encode(), json.dumps(PASSWORD)[1:-1].encode())
    for path in attached.home.rglob("*"):
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            assert path.name in ("martlet.toml", "engines.json", "api.json", "job.json"), path
    for entry in attached.status()["services"].values():
        words = psutil.Process(entry["pid"]).cmdline()
        assert not any(secret.decode() in word for word in words for secret in secrets)
    shown = attached.command("config").stdout
    assert PASSWORD not in shown
    assert json.dumps(PASSWORD)[1:-1] not in shown


def test_after_down_the_engines_live_and_the_next_up_goes_on(
    engines: tuple[SecuredBroker, RedisProcess, str], tmp_path_factory: pytest.TempPathFactory, seeds: Path
) -> None:
    broker, server, text = engines
    home = tmp_path_factory.mktemp("again")
    file = home / "martlet.toml"
    file.touch(0o600)
    file.write_text(text.replace("shop.", "shop.again.").replace('/1"', '/2"'))
    with running(home, seed=seed(HISTORY, seeds)) as started:
        answer = started.post({"type": "rating", "user_id": 6, "item_id": 50, "rating": 5})
        started.applied(6, answer.json()["seen"])
    assert server.client.get("somebody's") == b"1"
    second = redis.Redis(port=server.port, db=2)
    assert second.exists(HOME_KEY, "{u:6}") == 2
    with KafkaProducer(**broker.admin.client_options()) as producer:
        assert producer.partitions_for("somebody.events") == {0}
    with running(home) as started:
        assert verify(started)["applied"] == 1
    other = tmp_path_factory.mktemp("other")
    (other / "martlet.toml").touch(0o600)
    (other / "martlet.toml").write_text(file.read_text())
    refused = run_martlet("up", "--home", str(other), "--port", "8739")
    assert refused.returncode == 1
    assert "expected a topic that is empty or this home's" in refused.stderr or "another home's" in refused.stderr
