"""Whether the models are ready, and which versions are not used: told by several routes."""

from typing import Any

from online.state import Server


def models_ready(server: Server) -> bool:
    """Whether of every model that is on disk a version ranks."""
    return server.models.on_disk <= {each.name for each in server.models.all()} and not server.client.broken


def refused_versions(server: Server) -> list[dict[str, Any]]:
    """Versions of models and of vectors that are not used, and why."""
    refused = server.models.refused | server.vectors.refused
    return [{"name": name, "version": version, "reason": why} for (name, version), why in sorted(refused.items())]
