"""A home whose checkpoints and models lie in a bucket of S3: it goes on from there."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.flink.checkpoints import retained
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.storage.bucket_store import BucketStore, S3Access
from models.registry import list_models, list_versions
from tests.home import Martlet, running, until
from tests.ledger import verify
from tests.patience import patience
from tests.s3_server import BUCKET, s3_server
from tests.seed import HISTORY, seed

pytestmark = [pytest.mark.broken, pytest.mark.soak, pytest.mark.timeout(patience(900))]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Access]:
    with s3_server(tmp_path_factory.mktemp("s3")) as access:
        yield access


@pytest.fixture(scope="module")
def stored(bucket: S3Access, tmp_path_factory: pytest.TempPathFactory, seeds: Path) -> Iterator[Martlet]:
    home = tmp_path_factory.mktemp("home")
    settings = home / "martlet.toml"
    settings.write_text(
        f'[flink]\ncheckpoints = "s3://{BUCKET}/checkpoints"\n\n[models]\nstore = "s3://{BUCKET}/models"\n\n'
        f'[s3]\nendpoint = "{bucket.endpoint}"\naccess_key = "{bucket.access_key}"\nsecret_key = "{bucket.secret_key}"\n'
    )
    settings.chmod(0o600)
    with running(home, seed=seed(HISTORY, seeds)) as started:
        yield started


def test_the_job_goes_on_from_a_savepoint_there(stored: Martlet, bucket: S3Access) -> None:
    home_id = HomeRecord(Home(stored.home)).home_id
    store = BucketStore(f"s3://{BUCKET}/checkpoints/{home_id}", bucket)
    answer = stored.post({"type": "rating", "user_id": 6, "item_id": 50, "rating": 5})
    stored.applied(6, answer.json()["seen"])
    until(lambda: retained(store), 120, "a checkpoint is in the bucket")
    assert stored.command("down", within=240).returncode == 0
    before = {name: list_versions(stored.home / "models", name) for name in list_models(stored.home / "models")}
    assert before
    shutil.rmtree(stored.home / "models")
    newest = retained(store)[0]
    assert newest.name.startswith("savepoint-")
    assert not [path for path in (stored.home / "flink" / "checkpoints").rglob("*") if path.is_file()]
    started = stored.command("up", "--detach", "--wait", "--port", stored.address.rsplit(":", 1)[1], within=300)
    assert started.returncode == 0, started.stdout + started.stderr
    assert stored.status()["job_from"] == store.uri_of(newest.path)
    assert verify(stored)["applied"] == 1
    assert {name: list_versions(stored.home / "models", name) for name in before} == before, "read from the bucket"
    assert stored.status()["services"]["model-mirror"]["running"]


def test_the_key_is_nobody_elses_to_read(stored: Martlet, bucket: S3Access) -> None:
    secret = str(bucket.secret_key)
    for path in stored.home.rglob("*"):
        if path.is_file() and path.stat().st_size < 10_000_000 and secret.encode() in path.read_bytes():
            assert path.stat().st_mode & 0o077 == 0, f"{path} has it, for all to read"
    assert secret not in json.dumps(stored.status())
    shown = stored.command("config").stdout
    assert "[s3]" in shown
    assert secret not in shown
