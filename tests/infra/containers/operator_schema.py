"""The schema of a FlinkDeployment, from the operator's own jar, as the API server applies it."""

from functools import cache
from typing import Any, Final
from zipfile import ZipFile

import yaml
from jsonschema_rs import Draft7Validator

from infra.system import packages

Schema = dict[str, Any]

NEWER_VERSIONS: Final = ("v2_0", "v2_1", "v2_2")
"""Flink's versions that newer operators than the jar's (1.10) know besides: the first since 1.11, the others since 1.13. In 1.15,
of May 2026, there are no more."""
_FILE: Final = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"
_UNKNOWN_KEPT: Final = "x-kubernetes-preserve-unknown-fields"


@cache
def _validator() -> Draft7Validator:
    """Returns what refuses a FlinkDeployment, also for a field that the operator does not know."""
    (jar,) = packages.jars("operator")
    with ZipFile(jar) as packed:
        definition = yaml.load(packed.read(_FILE), yaml.CSafeLoader)
    (version,) = definition["spec"]["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["flinkVersion"]["enum"] += NEWER_VERSIONS
    _refuse_unknown(schema)
    # Of every object, by the API server itself.
    schema["properties"] |= {"apiVersion": {"const": f"{definition['spec']['group']}/{version['name']}"}}
    schema["properties"] |= {"kind": {"const": definition["spec"]["names"]["kind"]}, "metadata": {"type": "object"}}
    return Draft7Validator(schema)


def _refuse_unknown(schema: Schema) -> None:
    """Close every object that neither says what else is in it nor keeps what it does not know."""
    if schema.get("type") == "object" and not schema.get(_UNKNOWN_KEPT):
        schema.setdefault("additionalProperties", False)
    parts = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for part in parts:
        if isinstance(part, dict):
            _refuse_unknown(part)


def faults_of(manifest: Schema) -> list[str]:
    """Returns what is wrong with a FlinkDeployment, each with where; [] if it is valid."""
    found = _validator().iter_errors(manifest)
    return [f"{'.'.join(str(key) for key in each.instance_path)}: {each.message}" for each in found]
