"""A broker's data lies where it is to, whatever letters its home's path has."""

import subprocess
from pathlib import Path

import pytest

from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services.environment import python_env
from infra.services.kafka import cluster_of, is_formatted, kafka_format
from infra.system.java_properties import properties_text
from tests.patience import patience

CLUSTER = "4PzUOvOPSEKAhbAAAAAAAA"


@pytest.mark.services
@pytest.mark.parametrize(("name", "locale"), [("mit Blank", ""), ("für дом 😀", "C.UTF-8"), ("für дом 😀", "C")])
def test_kafka_prepares_the_folder_of_a_home_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, locale: str
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    home = Home(tmp_path / name).make()
    argv = [str(part) for part in kafka_format(home, Ports.choose(0, {}), CLUSTER)]
    subprocess.run(argv, cwd=tmp_path, env=python_env(), capture_output=True, timeout=patience(60), check=True)
    assert is_formatted(home, 1)
    assert cluster_of(home) == CLUSTER
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_of_java_properties_all_but_ascii_is_told_by_its_number() -> None:
    written = properties_text({"a": "für 😀", "b": "back\\slash\nline", "c": 1})
    assert written == "a=f\\u00fcr \\ud83d\\ude00\nb=back\\u005cslash\\u000aline\nc=1\n"
