"""A home all of whose engines run already: a Kafka that demands TLS, certificates, a password and ACLs, a Redis Cluster, a
Flink session cluster, a bucket for checkpoints and models. It works as any other, survives what dies in them, and leaves them
as they were."""

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from features.engines.passwords import KAFKA_VARIABLE, REDIS_VARIABLE
from features.errors import Unavailable
from features.keys import HOME_KEY, user_key
from infra.attached.redis_entry import GRANT
from infra.flink.checkpoints import retained
from infra.flink.client import FlinkClient
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.storage.bucket_store import BucketStore, S3Access
from infra.system.processes import ProcessId
from models.registry import list_models, list_versions
from tests.home import Martlet, answer_of, run_martlet, running, until
from tests.ledger import verify
from tests.patience import patience
from tests.redis_cluster import RedisCluster, redis_cluster
from tests.s3_server import BUCKET, SECRET_KEY, s3_server
from tests.secured_engines import ALL_RIGHTS, USER, SecuredBroker, certificates, secured_kafka
from tests.seed import HISTORY, seed
from tests.session_cluster import SessionCluster, session_cluster

pytestmark = [pytest.mark.broken, pytest.mark.timeout(patience(1200))]

SPARE = 1
"""Slots beside the two of the job."""
PASSWORD = "of the cluster's environment"
SECRETS = {KAFKA_VARIABLE: PASSWORD, REDIS_VARIABLE: PASSWORD}
"""What the cluster's processes have in their environment: the job is told no password."""
USERS = (6, 7, 9, 13, 18, 42)
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
url = "{redis}"
cluster = true
user = "{user}"
password = {password}

[flink]
address = "{flink}"
checkpoints = "s3://{bucket}/checkpoints"

[models]
store = "s3://{bucket}/models"

[s3]
endpoint = "{endpoint}"
access_key = "{access_key}"
secret_key = "{secret_key}"
"""


class Attached(NamedTuple):
    """What runs already, with something of somebody else's in it, and the settings by which a home enters it."""

    broker: SecuredBroker
    redis: RedisCluster
    flink: SessionCluster
    s3: S3Access
    settings: str


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    folder = tmp_path_factory.mktemp("engines")
    drawn = certificates(folder / "certificates")
    with ExitStack() as stack:
        s3 = stack.enter_context(s3_server(folder / "s3"))
        checkpoints = BucketStore(f"s3://{BUCKET}/checkpoints", s3)
        broker = stack.enter_context(secured_kafka(folder / "kafka", drawn, drawn.signed("IP:127.0.0.1"), PASSWORD))
        redis = stack.enter_context(redis_cluster(folder / "redis", node_timeout=5.0))
        flink = stack.enter_context(session_cluster(folder / "flink", 2 + SPARE, store=checkpoints, secrets=SECRETS))
        broker.grant("shop.", ALL_RIGHTS)
        admin = KafkaAdminClient(**broker.admin.client_options())
        admin.create_topics([NewTopic("somebody.events", 1, 1)])
        admin.close()
        checkpoints.write("somebody's", b"1")
        rules = [rule.replace(">PASSWORD", f">{PASSWORD}") for rule in GRANT.format(user=USER).split()[2:]]
        for server in redis.servers:
            server.run("ACL", "SETUSER", *rules)
        settings = SETTINGS.format(
            kafka=broker.address.bootstrap, ca=drawn.ca, certificate=broker.certificate, user=USER, password=json.dumps(PASSWORD),
            redis=str(redis.address), flink=flink.address, bucket=BUCKET, endpoint=s3.endpoint,
            access_key=s3.access_key, secret_key=s3.secret_key,
        )  # fmt: skip
        yield Attached(broker, redis, flink, s3, settings)


@pytest.fixture(scope="module")
def home(engines: Attached, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the home, with its settings alone."""
    folder = tmp_path_factory.mktemp("attached")
    with_settings(folder, engines)
    return folder


def with_settings(folder: Path, engines: Attached) -> None:
    file = folder / "martlet.toml"
    file.touch(0o600)
    file.write_text(engines.settings)


@pytest.fixture(scope="module")
def attached(home: Path, seeds: Path) -> Iterator[Martlet]:
    with running(home, seed=seed(HISTORY, seeds)) as started:
        yield started


def rate(martlet: Martlet, user_id: int, item_id: int) -> str:
    answer = martlet.post({"type": "rating", "user_id": user_id, "item_id": item_id, "rating": 5})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["seen"])


def rated(martlet: Martlet, user_id: int, item_id: int, within: float = 60) -> None:
    """A rating, posted, and in the next list."""
    listed = martlet.applied(user_id, rate(martlet, user_id, item_id), within)
    assert item_id not in [item["item_id"] for item in listed["items"]]


def kill_a_worker(flink: SessionCluster, job_name: str) -> None:
    """Kill the TaskManager of the user fold."""
    client = FlinkClient(flink.address, job_name=job_name)

    def worker() -> str:
        job = client.live_job()
        assert job is not None
        vertex = next(each["id"] for each in client.job(job)["vertices"] if "users" in each["name"])
        (subtask,) = client.subtasks(job, vertex)
        return str(subtask["taskmanager-id"])

    number = int(answer_of(worker, "Flink").removeprefix("taskmanager-"))
    os.kill(flink.task_manager(number).pid, signal.SIGKILL)


def new_checkpoint(flink: SessionCluster, job_name: str) -> None:
    """Wait until the job has completed another checkpoint: it has caught up."""
    client = FlinkClient(flink.address, job_name=job_name)
    job = answer_of(client.live_job, "Flink")
    assert job is not None

    def completed() -> int:
        return int(client.checkpoints(job)["counts"]["completed"])

    before = answer_of(completed, "Flink")
    until(lambda: completed() > before, 90, "a checkpoint", despite=Unavailable)


def test_a_rating_is_in_the_next_list_and_a_replay_is_folded(attached: Martlet) -> None:
    assert set(attached.status()["attached"]) == {"Kafka", "Redis", "Flink", "checkpoints", "models"}
    started = [name.partition("-")[0] for name in attached.status()["services"]]
    assert not {"kafka", "redis", "taskmanager", "jobmanager"} & set(started)
    for user_id in USERS:
        rated(attached, user_id, 50)
    replayed = attached.command("replay", "--speed", "max", "--to", "1998-03-15")
    assert replayed.returncode == 0, replayed.stderr
    assert verify(attached)["applied"] > len(USERS)


def test_the_doctor_asks_the_attached_engines(attached: Martlet, engines: Attached) -> None:
    found = attached.command("doctor").stdout
    assert "ok      Kafka: rights: User:martlet may read" in found
    assert "ok      Redis: owner: this home's" in found
    assert f"ok      Flink: version: 2.3.0 at {engines.flink.address}" in found
    probed = "a TaskManager has this version, its jars and the home's folder, and enters Kafka and Redis"
    assert f"ok      Flink: probe: {probed}" in found
    assert f"ok      checkpoints: s3://{BUCKET}/checkpoints/" in found
    assert f"ok      models: s3://{BUCKET}/models/" in found


def test_no_secret_is_where_others_may_read(attached: Martlet) -> None:
    secrets = [each.encode() for each in (PASSWORD, json.dumps(PASSWORD)[1:-1], SECRET_KEY)]
    named = {"martlet.toml", "engines.json", "api.json", "job.json", "model-mirror.json"}
    for path in attached.home.rglob("*"):
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            assert path.name in named, path
    for entry in attached.status()["services"].values():
        words = psutil.Process(entry["pid"]).cmdline()
        assert not any(secret.decode() in word for word in words for secret in secrets)
    shown = attached.command("config").stdout
    assert "[s3]" in shown
    assert not any(secret.decode() in shown for secret in secrets)


def test_an_upgrade_is_refused(attached: Martlet) -> None:
    refused = attached.command("upgrade")
    assert refused.returncode == 1
    assert "the Flink cluster is attached: ./martlet down, restart its TaskManagers" in refused.stderr


def test_a_primary_of_redis_may_die(attached: Martlet, engines: Attached) -> None:
    redis, before = engines.redis, verify(attached)["applied"]
    dead = redis.owner_of(user_key(USERS[0]))
    dead.kill()
    tokens = {user_id: rate(attached, user_id, 181) for user_id in USERS}
    deadline = time.monotonic() + 60
    while redis.slots.owner_of(user_key(USERS[0])) == dead.server:
        assert time.monotonic() < deadline
        for user_id in USERS:
            attached.recommend(user_id)
    for user_id, token in tokens.items():
        attached.applied(user_id, token, within=90)
    until(lambda: attached.recommend(USERS[0])["degraded"] == [], 90, "lists are whole again")
    assert verify(attached)["applied"] == before + len(USERS)


@pytest.mark.soak
def test_a_taskmanager_may_die(attached: Martlet, engines: Attached) -> None:
    job_name = HomeRecord(Home(attached.home)).job_name
    known = attached.status().get("job_submitted_again")  # after Redis had lost something, it may have been
    kill_a_worker(engines.flink, job_name)
    rated(attached, 6, 100, within=90)
    verify(attached)
    assert attached.status().get("job_submitted_again") == known, "the cluster itself recovers its job"
    new_checkpoint(engines.flink, job_name)  # a savepoint has its time; where it runs out, `down` cancels the job


def test_after_down_the_engines_live_and_the_next_up_goes_on(
    attached: Martlet, engines: Attached, tmp_path: Path
) -> None:
    """The models that the home lost meanwhile are read from the bucket."""
    record, before = HomeRecord(Home(attached.home)), verify(attached)["applied"]
    port = attached.address.rpartition(":")[2]
    assert attached.command("down", within=240).returncode == 0
    assert engines.flink.states(record.job_name) == ["FINISHED"]
    engines.flink.await_free()
    store = BucketStore(f"s3://{BUCKET}/checkpoints/{record.home_id}", engines.s3)
    newest = retained(store)[0]
    assert newest.name.startswith("savepoint-")
    assert not [path for path in (attached.home / "flink" / "checkpoints").rglob("*") if path.is_file()]
    versions = {name: list_versions(attached.home / "models", name) for name in list_models(attached.home / "models")}
    shutil.rmtree(attached.home / "models")

    started = attached.command("up", "--detach", "--wait", "--port", port, within=300)
    assert started.returncode == 0, started.stdout + started.stderr
    assert attached.status()["job_from"] == store.uri_of(newest.path)
    assert {name: list_versions(attached.home / "models", name) for name in versions} == versions
    assert verify(attached)["applied"] == before
    rated(attached, 6, 127)
    supervisor = ProcessId.from_json(attached.status()["supervisor"])
    os.kill(supervisor.pid, signal.SIGKILL)
    until(lambda: supervisor.process() is None, what="up ends")
    assert "RUNNING" in engines.flink.states(record.job_name)
    assert attached.command("down", within=240).returncode == 0
    assert sorted(engines.flink.states(record.job_name)) == ["CANCELED", "FINISHED"]

    assert BucketStore(f"s3://{BUCKET}/checkpoints", engines.s3).read("somebody's") == b"1"
    assert engines.redis.owner_of(HOME_KEY).client.exists(HOME_KEY) == 1
    with KafkaProducer(**engines.broker.admin.client_options()) as producer:
        assert producer.partitions_for("somebody.events") == {0}
    with_settings(tmp_path, engines)
    refused = run_martlet("up", "--home", str(tmp_path), "--port", "8739")
    assert refused.returncode == 1
    assert "expected a topic that is empty or this home's" in refused.stderr or "another home's" in refused.stderr


def test_a_home_with_a_log_of_its_own_stays_with_it(tmp_path: Path) -> None:
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    (tmp_path / "kafka" / "data" / "meta.properties").touch()
    (tmp_path / "martlet.toml").write_text('[kafka]\nbootstrap = "127.0.0.1:9"\n')
    refused: subprocess.CompletedProcess[str] = run_martlet(
        "up", "--home", str(tmp_path), "--port", "8739", "--dataset", "none"
    )
    assert refused.returncode == 1
    assert "kafka.bootstrap: expected none: this home's log is in the Kafka that `up` starts" in refused.stderr
