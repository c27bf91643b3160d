"""Each image's packages are enough for what runs in it, and the API's are no more: what it imports, with all others hidden."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.services.environment import python_env
from infra.system.locks import FOLDER, pins
from infra.system.repository import REPO
from tests.flink_stub import flink_stub
from tests.infra.containers.images import IMAGES, locks_of
from tests.patience import patience

pytestmark = pytest.mark.services

RUNS: Mapping[str, tuple[str, ...]] = {
    "api": ("infra.cli.main", "infra.roles.api_role", "infra.roles.health_check", "online.__main__"),
    "watch": (
        "infra.cli.main", "infra.roles.watch_role", "infra.roles.health_check", "infra.monitoring.status", "infra.verify.compare",
        "infra.replay.replayer", "infra.judging.__main__", "offline.datasets.sources",
    ),
    "job": ("infra.cli.main", "infra.roles.job_role", "infra.roles.health_check", "streaming.job", "infra.flink.flink_lib"),
    "flink": (
        "streaming.operators.user_operator", "streaming.operators.item_operator", "streaming.operators.impression_join",
        "streaming.cluster_probe", "streaming.warm_up", "infra.roles.health_check",
    ),
    "offline": (
        "infra.cli.main", "infra.offline_jobs.runner", "offline.prepare", "offline.embeddings", "models.training.__main__",
        "infra.home.access_file",
    ),
}  # fmt: skip
"""Modules that run in an image, those that are imported late among them."""
HEAVY = {"apache-flink", "apache-beam", "pyspark", "tensorflow", "keras"}


def test_each_image_is_known() -> None:
    assert sorted(RUNS) == sorted(IMAGES)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_the_packages_of_all_that_runs_in_it(image: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.infra.containers.as_in_image", ",".join(locks_of(image))],
        input="\n".join(RUNS[image]), cwd=REPO, env=python_env(), text=True, capture_output=True, timeout=patience(300),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("image", ["api", "watch"])
def test_what_serves_has_no_engine(image: str) -> None:
    assert not {pin.name for lock in locks_of(image) for pin in pins(FOLDER / f"{lock}.lock")} & HEAVY


@pytest.mark.parametrize("image", ["api", "watch"])
def test_the_doctor_examines_engines_in_an_image_without_theirs(image: str, tmp_path: Path) -> None:
    with flink_stub() as flink:
        flink.answers["/overview"] = {
            "flink-version": "2.3.0", "slots-available": 2, "slots-total": 2, "taskmanagers": 2
        }  # fmt: skip
        engines = {"KAFKA_BOOTSTRAP": "127.0.0.1:9", "REDIS_URL": "redis://127.0.0.1:9", "FLINK_ADDRESS": flink.address}
        done = subprocess.run(
            [sys.executable, "-m", "tests.infra.containers.as_in_image", ",".join(locks_of(image)), "doctor", "--home", tmp_path],
            cwd=REPO, env=python_env({f"MARTLET_{name}": value for name, value in engines.items()}),
            text=True, capture_output=True, timeout=patience(300),
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    for line in (
        "MISSING Kafka: ",
        "MISSING Redis: ",
        "ok      Flink: version: 2.3.0",
        "ok      Flink: probe: not run",
    ):
        assert f"\n{line}" in done.stdout
    assert "Java runtime" not in done.stdout
