"""The models to serve: TensorFlow Serving's ModelServerConfig, from a text file, a message or two flags, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from models.server.errors import Code, ServingError, invalid
from models.server.version_policy import All, Latest, Policy, Specific

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
    platform = entry.model_platform or model_server_config_pb2.ModelType.Name(entry.model_type).lower()
    if platform != PLATFORM:
        raise invalid(
            f'model {entry.name}: expected model_platform: "{PLATFORM}", got "{entry.model_platform}"; '
            "no other platform is served"
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
        known = old[name].labels if name in old else {}
        for label, version in model.labels.items():
            if version in available.get(name, frozenset()):
                continue
            if any_label and known.get(label, version) == version:
                continue
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Request to assign label to version {version} of model {name}, which is not currently available for "
                "inference",
            )
