"""The definition of a service: command, readiness check, address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Service:
    """A process that `up` starts. `ready` raises until the service is ready, which may take `ready_timeout` seconds; `grace`
    is the seconds between SIGTERM and SIGKILL. One with `lasts` False ends once its work is done and is not restarted.
    `restart_after`: the seconds from its death to its restart are this many at least, unless it is wanted sooner, or none of its
    kind runs."""

    name: str
    argv: tuple[str | Path, ...]
    ready: Callable[[], object]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    ready_timeout: float = 120.0
    grace: float = 15.0
    address: str = ""
    lasts: bool = True
    restart_after: float = 0.0

    @property
    def kind(self) -> str:
        """What it is, whichever of several it is: the name without its number.

        >>> Service("kafka-2", (), lambda: None).kind
        'kafka'
        """
        return self.name.partition("-")[0]
