"""The locks: one version a package over all roles, no role more than it needs, nothing refused, no registry named."""

import re
import tomllib
from pathlib import Path

import pytest

from infra.system.locks import FOLDER, MAIN_LOCK, pins
from infra.system.repository import REPO

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())
REFUSED = tomllib.loads((FOLDER / "refused.toml").read_text())
ROLES = sorted(set(PROJECT["dependency-groups"]) - {"kernel", "command"})
LOCKS = [MAIN_LOCK, *sorted(FOLDER.glob("*.lock"))]
HEAVY = {"tensorflow", "pyspark", "apache-flink"}


def names(lock: Path) -> set[str]:
    return {pin.name for pin in pins(lock)}


def role(name: str) -> Path:
    return FOLDER / f"{name}.lock"


def test_every_role_has_its_lock_and_every_lock_its_role() -> None:
    assert sorted(lock.stem for lock in FOLDER.glob("*.lock")) == sorted([*ROLES, "peers"])


@pytest.mark.parametrize("name", ROLES)
def test_a_role_is_a_part_of_the_whole_at_the_same_versions(name: str) -> None:
    assert pins(role(name))
    assert pins(role(name)) <= pins(MAIN_LOCK)


def test_the_whole_is_the_roles_and_nothing_else() -> None:
    assert pins(MAIN_LOCK) == set().union(*(pins(role(name)) for name in ROLES))


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("api", set()),
        ("watch", set()),
        ("job", {"apache-flink"}),
        ("model-server", {"tensorflow"}),
        ("offline", {"tensorflow", "pyspark"}),
        ("home", {"apache-flink"}),
        ("dev", set()),
    ],
)
def test_only_the_roles_that_run_an_engine_install_it(name: str, has: set[str]) -> None:
    assert names(role(name)) & HEAVY == has


@pytest.mark.parametrize("name", ROLES)
def test_a_lock_pins_what_its_role_names(name: str) -> None:
    wanted = {
        re.split(r"[\[<>=]", line)[0].lower() for line in PROJECT["dependency-groups"][name] if isinstance(line, str)
    }
    assert wanted
    assert wanted <= names(role(name))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_no_lock_holds_a_refused_package(lock: Path) -> None:
    assert not names(lock) & set(REFUSED)


def test_what_is_refused_has_a_reason_and_is_cut_out_of_the_resolution() -> None:
    assert set(PROJECT["tool"]["uv"]["exclude-dependencies"]) <= set(REFUSED)
    for package in REFUSED.values():
        assert package["advisory"].startswith(("CVE-", "GHSA-", "PYSEC-"))
        assert len(package["reason"]) > 40


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_package_has_hashes_and_no_line_names_a_registry(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|--(index|extra-index|find-links)", text)
    entries = re.split(r"^(?=[a-z0-9])", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    assert all("--hash=sha256:" in entry for entry in entries if entry)
