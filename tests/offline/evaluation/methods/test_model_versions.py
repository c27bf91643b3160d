"""A model is evaluated by a version that has not learned from what it is evaluated on."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from features.errors import BadInput
from infra.services.environment import python_env
from infra.system.repository import REPO
from models.registry import DataSeen
from offline.evaluation.methods.model_methods import manifest_of
from tests.models.fake_version import publish_one
from tests.patience import patience


def base_until(cut: int) -> Any:
    return SimpleNamespace(cut=cut, manifest={"number": 1})


def test_the_newest_version_is_taken_that_has_not_seen_what_comes_after_the_base(tmp_path: Path) -> None:
    for to_ms in (80, 100, 101, 300):
        publish_one(tmp_path, data=DataSeen(to_ms=to_ms))
    assert manifest_of(tmp_path, "toy", base_until(100)).version == 2
    assert manifest_of(tmp_path, "toy", base_until(1000)).version == 4
    with pytest.raises(BadInput, match="after the history of base 1, got only versions that have: 4, 3, 2, 1"):
        manifest_of(tmp_path, "toy", base_until(79))


def test_a_model_without_versions_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="toy"):
        manifest_of(tmp_path, "toy", base_until(100))


def test_an_evaluation_brings_no_tensorflow_before_its_environment_is_prepared() -> None:
    """What `models.training.runtime.import_tensorflow` sets would come too late."""
    code = "import sys, offline.evaluation.__main__; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=REPO, env=python_env(), timeout=patience(120)).returncode == 0
    )
