"""`python -m models.training` from samples to served versions, and its refusals: one line, exit code 1."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from features.base.mapped_table import table_parts
from features.base.reader import CATALOGUE, ITEMS, PAIRS, USERS
from features.errors import Broken
from models import nets
from models.nets.parts.net import Net
from models.registry import list_versions, newest
from models.training.__main__ import main
from models.training.runtime import import_tensorflow
from tests.models.synthetic_rows import write_samples
from tests.schemas import MOVIES, SHOP

import_tensorflow()

from models.training import pipeline  # noqa: E402
from tests.patience import patience  # noqa: E402

pytestmark = pytest.mark.keras


def test_both_models(samples_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "models.training", "--samples", str(samples_folder), "--models", str(tmp_path)]
    command += ["--model", "neuralcf", "--model", "widedeep", "--epochs", "2"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=patience(300), env=os.environ | {"COLUMNS": "200"}
    )
    assert done.returncode == 0, done.stderr
    assert "2700 rows to train, 300 newer ones to validate" in done.stdout
    assert "peak memory" in done.stdout
    assert done.stderr == ""
    for name in ("neuralcf", "widedeep"):
        manifest = newest(tmp_path, name)
        assert manifest is not None
        assert manifest.version == 1
        assert (manifest.data.rows, manifest.data.validation_rows, manifest.data.dataset) == (2700, 300, "synthetic")
        assert {"auc", "gauc", "log_loss", "popularity_auc", "constant_log_loss"} <= manifest.metrics.keys()
    assert list((tmp_path / ".staging").iterdir()) == []


def test_an_unknown_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--samples", str(tmp_path), "--models", str(tmp_path / "m"), "--model", "nope"]) == 1
    assert capsys.readouterr().err.startswith("error: model: expected one of deepfm, dien")


def test_no_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--samples", str(tmp_path), "--models", str(tmp_path / "m"), "--model", "neuralcf"]) == 1
    assert (
        capsys.readouterr().err
        == f"error: neuralcf refused: {tmp_path}/maps.json can't be read: No such file or directory\n"
    )


def test_no_base(samples_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--samples", str(samples_folder), "--models", str(tmp_path), "--base", str(tmp_path / "no")]
    assert main([*arguments, "--model", "neuralcf"]) == 1
    assert "no is not a base" in capsys.readouterr().err


def test_the_base_is_recorded_and_its_schema_must_be_that_of_the_samples(
    samples_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "bases" / "12"
    base.mkdir(parents=True)
    (base / "manifest.json").write_text('{"cut": 1}')
    (base / "schema.toml").write_text(MOVIES.text())
    for name in (USERS, ITEMS, PAIRS, CATALOGUE):
        (base / name).write_bytes(b"".join(table_parts([])))
    models = tmp_path / "models"
    arguments = ["--samples", str(samples_folder), "--models", str(models), "--base", str(base), "--epochs", "1"]
    assert main([*arguments, "--model", "neuralcf"]) == 0
    manifest = newest(models, "neuralcf")
    assert manifest is not None
    assert manifest.data.base == "12"
    assert manifest.schema == MOVIES.digest
    (base / "schema.toml").write_text(SHOP.text())
    assert main([*arguments, "--model", "neuralcf"]) == 1
    assert (
        f"--samples and --asks: expected training data made under the schema of base {base}" in capsys.readouterr().err
    )
    assert list_versions(models, "neuralcf") == [1]


def test_one_that_diverges_does_not_stop_the_other(samples_folder: Path, tmp_path: Path) -> None:
    def find(name: str) -> Net:
        net = nets.find(name)
        return replace(net, learning_rate=float("nan")) if name == "neuralcf" else net

    options = pipeline.Options(samples_folder, tmp_path, ("neuralcf", "widedeep"), epochs=1)
    with pytest.raises(Broken, match=r"^neuralcf refused: training of neuralcf diverged: .*; nothing"):
        pipeline.train_all(options, Console(quiet=True), find)
    assert list_versions(tmp_path, "neuralcf") == []
    assert list_versions(tmp_path, "widedeep") == [1]


def test_epochs_must_be_some(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--samples", str(tmp_path), "--models", str(tmp_path), "--model", "neuralcf", "--epochs", "0"])


@pytest.mark.soak
def test_the_metrics_of_a_model_are_compared_with_the_live_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained on labels that mean something, then on noise: the second is refused, and published with --force."""
    write_samples(tmp_path / "good", rows=4000)
    arguments = ["--models", str(tmp_path / "models"), "--model", "widedeep", "--epochs", "3"]
    assert main(["--samples", str(tmp_path / "good"), *arguments]) == 0
    write_samples(tmp_path / "noise", rows=4000, noise=True)
    assert main(["--samples", str(tmp_path / "noise"), *arguments]) == 1
    assert "below the" in capsys.readouterr().err
    assert list_versions(tmp_path / "models", "widedeep") == [1]
    assert main(["--samples", str(tmp_path / "noise"), *arguments, "--force"]) == 0
    assert list_versions(tmp_path / "models", "widedeep") == [1, 2]
