"""The models to serve: TensorFlow Serving's ModelServerConfig, from a text file, a message or two flags, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from models.server.errors import Code, ServingError, invalid
from models.server.version_policy import All, Besides, Latest, Policy, Specific

PLATFORM = "tensorflow"


@dataclass(frozen=True)
class ModelConfig:
    """One name under which versions of ``base_path`` are served. Two names may share a base path."""

    name: str
    base_path: Path
    policy: Policy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)


Config = Mapping[str, ModelConfig]
"""Models by name."""


def single_model(name: str, base_path: str) -> Config:
    """The configuration of the flags --model_name and --model_base_path."""
    return {name: ModelConfig(name, _absolute(base_path, name))}


def read_file(path: Path) -> Config:
    """The configuration in a text file. Raises INVALID_ARGUMENT, naming the file and what is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(f"can't read the model config file {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        message = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise invalid(f"{path} is no ModelServerConfig: {error}") from None
    try:
        return from_proto(message)
    except ServingError as error:
        raise ServingError(error.code, f"{path}: {error.message}") from None


def from_proto(message: Any) -> Config:
    """The configuration in a ModelServerConfig. Raises INVALID_ARGUMENT if a model in it can't be served."""
    if message.WhichOneof("config") != "model_config_list":
        raise invalid("expected a model_config_list { config { … } }, got none")
    models: dict[str, ModelConfig] = {}
    for entry in message.model_config_list.config:
        if not entry.name:
            raise invalid("a config has no name")
        if entry.name in models:
            raise invalid(f"Illegal to list model {entry.name} multiple times in config list")
        models[entry.name] = _model(entry)
    return models


def _model(entry: Any) -> ModelConfig:
    is_served = entry.model_platform == PLATFORM or (
        not entry.model_platform and entry.model_type == model_server_config_pb2.ModelType.TENSORFLOW
    )
    if not is_served:
        raise invalid(
            f'model {entry.name}: expected model_platform: "{PLATFORM}", got "{entry.model_platform}" and model_type '
            f"{entry.model_type}; no other platform is served"
        )
    labels = dict(entry.version_labels)
    return ModelConfig(entry.name, _absolute(entry.base_path, entry.name), _policy(entry), labels)


def _policy(entry: Any) -> Policy:
    policy = entry.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return All()
    if kind == "specific":
        return Specific(frozenset(policy.specific.versions))
    return Latest(max(policy.latest.num_versions, 1))


def _absolute(base_path: str, name: str) -> Path:
    path = Path(base_path)
    if not path.is_absolute():
        raise invalid(
            f"Expected model {name} to have an absolute path; got base_path()={base_path} (remote file systems are not "
            "served)"
        )
    return path


def check_change(old: Config, new: Config, available: Mapping[str, frozenset[int]], any_label: bool) -> None:
    """Raise FAILED_PRECONDITION if ``new`` points a label at a version that is not in ``available``.

    With ``any_label`` that is allowed for a label that is new; moving a label always needs a version that can answer.
    """
    for name, model in new.items():
        for version in _waiting(old.get(name), model, available.get(name, frozenset()), any_label).values():
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Request to assign label to version {version} of model {name}, which is not currently available for "
                "inference",
            )


def assignable(old: Config, new: Config, available: Mapping[str, frozenset[int]], any_label: bool) -> Config:
    """The part of ``new`` to which ``check_change`` has no objection.

    A label that waits for its version stays where ``old`` has it, and the version that it has there stays with it.
    """
    changed = {}
    for name, model in new.items():
        known = old[name].labels if name in old else {}
        waiting = _waiting(old.get(name), model, available.get(name, frozenset()), any_label)
        stay = {label: known[label] for label in waiting if label in known}
        labels = {label: version for label, version in model.labels.items() if label not in waiting} | stay
        changed[name] = replace(model, policy=Besides(model.policy, frozenset(stay.values())), labels=labels)
    return changed


def _waiting(old: ModelConfig | None, new: ModelConfig, available: frozenset[int], any_label: bool) -> dict[str, int]:
    """The labels of ``new`` that may not be assigned yet, and their versions."""
    known = old.labels if old else {}
    return {
        label: version
        for label, version in new.labels.items()
        if version not in available and not (any_label and known.get(label, version) == version)
    }
