"""What a process of the API says of itself, ready or not."""

from typing import Annotated

import msgspec

from features.errors import Unavailable
from infra.system import probes

Version = Annotated[str, msgspec.Meta(pattern=r"^[^/]+/[0-9]+$")]
"""model/version."""


class Readiness(msgspec.Struct, frozen=True):
    """What /readyz answers: dependencies by name, the versions that rank, and those that are held ready beside them."""

    ready: bool
    dependencies: dict[str, bool]
    models: list[Version]
    labelled: list[Version] = []

    @property
    def missing(self) -> list[str]:
        """The dependencies that are not there."""
        return [name for name, is_available in self.dependencies.items() if not is_available]

    @property
    def ranking(self) -> dict[str, int]:
        """Model → the version that ranks."""
        return dict(map(_pair, self.models))

    @property
    def held(self) -> set[tuple[str, int]]:
        """Model and version of all that can rank at once."""
        return {*map(_pair, self.models), *map(_pair, self.labelled)}


def read_readiness(address: str, timeout: float = 2.0) -> Readiness:
    """Ask a process of the API. Raises Unavailable where it does not answer, or with anything else, as one does that has too many
    requests to answer one more."""
    url = f"{address}/readyz"
    answer = probes.http_json(url, timeout, also=503)
    try:
        return msgspec.convert(answer, Readiness)
    except msgspec.ValidationError as error:
        raise Unavailable(f"GET {url}: expected what is ready, got {str(answer)[:400]} ({error})") from error


def _pair(text: str) -> tuple[str, int]:
    """name/version → (name, version)."""
    name, version = text.split("/")
    return name, int(version)
