"""What our own processes are started with."""

import sys

import pytest

from infra.services.environment import python_env


def test_secrets_and_what_slows_starts_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARTLET_REDIS_PASSWORD", "a secret")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("MARTLET_LOG_FORMAT", "json")
    environment = python_env({"ADDED": "1"})
    assert not {"MARTLET_REDIS_PASSWORD", "PYTHONDONTWRITEBYTECODE"} & environment.keys()
    assert (environment["MARTLET_LOG_FORMAT"], environment["ADDED"]) == ("json", "1")


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has all locales")
def test_a_locale_that_is_named_but_not_installed_is_not_relied_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANG", "LC_CTYPE", "LC_ALL"):
        monkeypatch.setenv(name, "xx_XX.UTF-8")
    assert python_env()["LC_ALL"] == "C.UTF-8"
