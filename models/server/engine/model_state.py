"""What is known of a model and its versions while they come and go. Whoever has the manager's lock may read and change it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from models.server import version_policy
from models.server.config import ModelConfig
from models.server.engine.servable import Servable
from models.server.errors import Code, ServingError
from models.server.version_policy import Policy

_MAX_ENDED = 128


class State(IntEnum):
    """The life of a version, by the numbers of ModelVersionStatus."""

    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """The state of a version, and its error if it failed."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""


@dataclass(eq=False)
class Model:
    """The state of one model name. ``config`` is None once a reload has dropped the model; its history stays.

    is_away  whether its base path could not be read the last time
    """

    name: str
    config: ModelConfig | None
    loaded: dict[int, Servable] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)
    statuses: dict[int, VersionStatus] = field(default_factory=dict)
    is_away: bool = False

    def note(self, status: VersionStatus) -> None:
        """Record a status; of versions that ended long ago the smallest are forgotten, so that memory stays flat."""
        self.statuses[status.version] = status
        ended = sorted(v for v, s in self.statuses.items() if s.state is State.END and v not in self.failed)
        for version in ended[:-_MAX_ENDED]:
            del self.statuses[version]

    def missing(self, policy: Policy) -> set[int]:
        """The versions that ``policy`` wants, as far as they failed to load or it names them, and that do not answer."""
        known = self.loaded.keys() | self.failed | version_policy.named(policy)
        return version_policy.wanted(dict.fromkeys(known, ""), policy).keys() - self.loaded.keys()

    def error_of(self, version: int) -> str:
        """The reason why ``version`` does not answer."""
        if version not in self.failed:
            return f"{Code.NOT_FOUND.name}: no such version is there"
        status = self.statuses[version]
        return f"{status.code.name}: {status.message}"


def check_available(missing: Mapping[Model, Collection[int]]) -> None:
    """Raise UNKNOWN, with the errors, if any versions of any models are missing."""
    errors = [
        f"{{name: {model.name} version: {version}}} due to error: {model.error_of(version)}"
        for model, versions in missing.items()
        for version in sorted(versions)
    ]
    if errors:
        count = sum(map(bool, missing.values()))
        raise ServingError(Code.UNKNOWN, f"{count} model(s) did not become available: {{{', '.join(errors)}}}")
