"""Commands that publish bring versions to the model store, and read no other setting where there is none."""

from pathlib import Path

import pytest

from infra.cli.offline_commands import mirror_models
from infra.home.paths import Home
from infra.home.record import HomeRecord


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home in an environment as that of a step that has every secret and no engine."""
    home = Home(tmp_path / "home").make()
    record = HomeRecord(home)
    record.describe("none", None)
    record.save()
    monkeypatch.setenv("MARTLET_KAFKA_PASSWORD", "of an engine that is not named here")
    return home


def test_without_a_store_nothing_is_examined(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    mirror_models(home)
    assert capsys.readouterr() == ("", "")


def test_with_a_store_settings_that_are_wrong_are_told(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("MARTLET_MODELS_STORE", str(tmp_path / "store"))
    mirror_models(home)
    refused = "not in the model store yet: MARTLET_KAFKA_PASSWORD, kafka.password: expected kafka.bootstrap with it"
    assert capsys.readouterr().err.startswith(refused)
    monkeypatch.delenv("MARTLET_KAFKA_PASSWORD")
    mirror_models(home)
    assert capsys.readouterr() == ("", "")
