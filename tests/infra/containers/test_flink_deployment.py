"""The FlinkDeployment, as it lies in its folder and as the examples render it: valid by its operator's own schema."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.infra.containers.manifests import ALL, BASE, EXAMPLE, Manifest, rendered_by
from tests.infra.containers.operator_schema import faults_of

pytestmark = pytest.mark.services  # the operator's jar is fetched, once


def deployments(manifests: list[Manifest]) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == "FlinkDeployment"]


def the_deployment() -> Manifest:
    (found,) = deployments(ALL)
    return deepcopy(found)


def test_it_is_valid() -> None:
    assert faults_of(the_deployment()) == []


@pytest.mark.parametrize("folder", [BASE, EXAMPLE], ids=lambda folder: folder.name)
def test_it_is_valid_as_it_is_rendered(folder: Path) -> None:
    (found,) = deployments(rendered_by(folder))
    assert faults_of(found) == []


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("spec", "serviceAcount", "flink"),
        ("spec.taskManager", "replica", 3),
        ("spec.taskManager.resource", "mem", "1984m"),
        ("spec.podTemplate.spec.securityContext", "runAsNonroot", True),
    ],
)
def test_a_misspelt_field_is_refused(path: str, name: str, value: object) -> None:
    changed = the_deployment()
    part: Any = changed
    for key in path.split("."):
        part = part[key]
    part[name] = value
    (fault,) = faults_of(changed)
    assert fault.startswith(f"{path}: ")
    assert f"'{name}' was unexpected" in fault


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("mode", "alone", '"alone" is not one of "native" or "standalone"'),
        ("flinkVersion", "v2_3", '"v2_3" is not one of'),  # no operator that was released by May 2026 knows it
        ("flinkConfiguration", {"taskmanager.numberOfTaskSlots": 1}, '1 is not of type "string"'),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: object, said: str) -> None:
    changed = the_deployment()
    changed["spec"][name] = value
    (fault,) = faults_of(changed)
    assert fault.startswith(f"spec.{name}")
    assert said in fault
