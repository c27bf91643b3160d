"""The Dockerfiles: what hadolint says, and what must hold of each image."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.cli.main import app
from infra.flink import cluster
from infra.system.locks import FOLDER as LOCKS
from infra.system.repository import REPO
from tests.infra.containers.compose_file import FOLDER
from tests.infra.containers.images import IMAGES, instructions, last_stage, locks_of, variables
from tests.patience import patience

HADOLINT = Path(sys.executable).with_name("hadolint")


def test_hadolint_finds_nothing() -> None:
    files = sorted((FOLDER / "images").glob("*.Dockerfile"))
    assert files
    argv = [HADOLINT, "--config", FOLDER / "images" / ".hadolint.yaml", "--format", "json", *files]
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=patience(60))
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_in_particular_from_pinned_images(image: str) -> None:
    assert dict(last_stage(image))["USER"] == "9999:9999"
    stages = [rest.split() for word, rest in instructions(image) if word == "FROM"]
    assert all(":" in words[0] and not words[0].endswith(":latest") for words in stages)


@pytest.mark.parametrize("image", IMAGES)
def test_packages_are_those_of_locks_by_their_digests(image: str) -> None:
    installs = [
        part
        for word, rest in instructions(image)
        if word == "RUN"
        for part in rest.split("&&")
        if "pip install" in part
    ]
    assert locks_of(image)
    assert all("--no-deps --require-hashes -r requirements/" in each for each in installs)
    copied = {
        name for word, rest in instructions(image) if word == "COPY" for name in rest.split() if name.endswith(".lock")
    }
    for name in copied:
        assert (REPO / name).is_file(), name
    assert {f"requirements/{lock}.lock" for lock in locks_of(image)} <= copied
    assert all((LOCKS / f"{lock}.lock").is_file() for lock in locks_of(image))


@pytest.mark.parametrize("image", [image for image in IMAGES if image != "flink"])
def test_a_role_is_a_command_of_ours(image: str) -> None:
    stage = dict(last_stage(image))
    assert json.loads(stage["ENTRYPOINT"])[1:] == ["-m", "infra"]
    assert json.loads(stage["ENTRYPOINT"])[0].startswith("/opt/martlet/venv/")
    word = json.loads(stage["CMD"])[0]
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    for group in app.registered_groups:
        typed = group.typer_instance
        names |= (
            {each.name or each.callback.__name__ for each in typed.registered_commands if each.callback}
            if typed
            else set()
        )
    assert word in {*names, "--help"}


@pytest.mark.parametrize("image", IMAGES)
def test_python_finds_the_repository_where_it_is_copied(image: str) -> None:
    assert variables(image)["PYTHONPATH"].split(":")[0] == dict(last_stage(image))["WORKDIR"] == "/opt/martlet"


def test_what_is_copied_is_the_product() -> None:
    lines = (REPO / ".dockerignore").read_text().splitlines()
    ignored = [line for line in lines if line and not line.startswith("#")]
    assert ignored[0] == "*"
    for line in ignored:
        if line.startswith("!") and "*" not in line:
            assert (REPO / line[1:]).exists(), line
    for folder in ("features", "infra", "models", "offline", "online", "streaming"):
        assert f"!{folder}" in ignored


def test_flinks_processes_are_configured_as_those_of_up() -> None:
    given = yaml.safe_load((FOLDER / "flink" / "config.yaml").read_text())
    ours = cluster.process_settings()
    assert {name: str(given[name]) for name in ours} == {name: str(value) for name, value in ours.items()}
    assert set(given) - set(ours) == {
        "jobmanager.rpc.address", "jobmanager.bind-host", "rest.address", "rest.bind-address", "rest.port",
        "taskmanager.bind-host", "io.tmp.dirs", "web.tmpdir",
    }  # fmt: skip
    assert (FOLDER / "flink" / "log4j-console.properties").read_text() == cluster.CONSOLE_LOGGING
