"""Readiness of the models, and refused versions, as several routes report them."""

import msgspec

from online.server import Server


class Dependencies(msgspec.Struct, frozen=True, kw_only=True):
    """Whether Redis and Kafka answer, of every model on disk a version ranks, and item features are followed live."""

    redis: bool
    kafka: bool
    models: bool
    items: bool

    @property
    def all_ready(self) -> bool:
        return self.redis and self.kafka and self.models and self.items


class RefusedVersion(msgspec.Struct, frozen=True):
    """A version of a model or of vectors that is not used, and why."""

    name: str
    version: int
    reason: str


def models_ready(server: Server) -> bool:
    """Whether a version of every model on disk ranks, and the model server responds."""
    return server.models.on_disk <= {each.name for each in server.models.all()} and not server.client.broken


def refused_versions(server: Server) -> list[RefusedVersion]:
    """Versions of models and of vectors that are not used, and why."""
    refused = server.models.refused | server.vectors.refused
    return [RefusedVersion(name, version, why) for (name, version), why in sorted(refused.items())]
