"""A service: what is started, how it is asked whether it is ready, where it listens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Service:
    """A process that `up` starts. `ready` asks it something and raises until it answers right. One that does not last ends by
    itself once its work is done, and is not started again."""

    name: str
    argv: tuple[str | Path, ...]
    ready: Callable[[], object]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    ready_within: float = 60.0
    grace: float = 15.0
    address: str = ""
    lasts: bool = True
