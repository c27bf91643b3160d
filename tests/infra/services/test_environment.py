"""What our own processes are started with."""

import pytest

from infra.services.environment import python_env


def test_secrets_and_what_slows_starts_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARTLET_REDIS_PASSWORD", "a secret")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("MARTLET_LOG_FORMAT", "json")
    environment = python_env({"ADDED": "1"})
    assert not {"MARTLET_REDIS_PASSWORD", "PYTHONDONTWRITEBYTECODE"} & environment.keys()
    assert (environment["MARTLET_LOG_FORMAT"], environment["ADDED"]) == ("json", "1")
