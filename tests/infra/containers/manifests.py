"""The Kubernetes manifests, as they lie in their folders and as kubectl renders them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.infra.containers.compose_file import FOLDER
from tests.patience import patience

MANIFESTS: Final = FOLDER / "kubernetes"
BASE: Final = MANIFESTS / "base"
EXAMPLE: Final = MANIFESTS / "overlays" / "example"
LEARN: Final = MANIFESTS / "learn"
OFFLINE: Final = MANIFESTS / "offline"
FOLDERS: Final = (BASE, MANIFESTS / "home", OFFLINE, MANIFESTS / "commands")
EXAMPLES: Final = (EXAMPLE, EXAMPLE / "home", EXAMPLE / "offline", EXAMPLE / "commands")
"""Of each folder."""

Manifest = dict[str, Any]


def kustomization(folder: Path) -> Manifest:
    loaded: Manifest = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return loaded


def manifests(folder: Path) -> Iterator[Manifest]:
    for name in kustomization(folder)["resources"]:
        if (folder / name).is_file():
            yield from yaml.safe_load_all((folder / name).read_text())


ALL: Final = [each for folder in (*FOLDERS, LEARN) for each in manifests(folder)]


def rendered_by(example: Path) -> list[Manifest]:
    """What kubectl renders, where there is one: it is in no package registry."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not on PATH: what an example renders is not looked at")
    done = subprocess.run([kubectl, "kustomize", str(example)], capture_output=True, text=True, timeout=patience(60))
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
