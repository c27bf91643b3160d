"""A Redis of one's own is tried before it is started."""

from pathlib import Path

import pytest

from features.errors import BadInput
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.services.redis import redis
from infra.services.redis_program import own_program
from infra.system import packages


def program(folder: Path, text: str) -> Path:
    path = folder / "server"
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)
    return path


def test_the_one_that_is_fetched_is_one() -> None:
    assert own_program(packages.redis_server()) == packages.redis_server()


@pytest.mark.parametrize(
    "text", ["Redis server v=7.0.15 sha=0", "Redis server v=10.1.0", "Valkey server v=7.2.5 sha=1"]
)
def test_a_supported_one_is_taken(text: str, tmp_path: Path) -> None:
    assert own_program(program(tmp_path, text)) == tmp_path / "server"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Redis server v=6.2.14 sha=0", "expected Redis 7.0 or newer, got .*, which is 6.2"),
        ("Valkey server v=7.0.1", "expected Valkey 7.2 or newer, got .*, which is 7.0"),
        ("memcached 1.6", "expected a redis-server or valkey-server, got .* --version says 'memcached 1.6'"),
    ],
)
def test_another_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=expected):
        own_program(program(tmp_path, text))


def test_it_is_started_as_the_settings_found_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = home.path / "bin"
    on_path.mkdir()
    program(on_path, "Valkey server v=8.1.0")
    monkeypatch.setenv("PATH", f"{on_path}:/usr/bin:/bin")
    for name in ("server", "bin/server"):
        assert redis(home, Ports(*range(1, 10)), name).argv[0] == on_path / "server"


def test_what_can_not_be_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected a redis-server or valkey-server"):
        own_program(tmp_path)
