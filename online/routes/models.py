"""GET /v1/models: what ranks, and what was refused."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends

from online.routes.readiness import refused_versions
from online.state import Server, server_of

router = APIRouter()


@router.get("/v1/models")
async def get_models(server: Annotated[Server, Depends(server_of)]) -> dict[str, Any]:
    """The models that rank now, with what is known of them; the vectors of items that recall uses; and the versions of both that
    were refused, with the reason."""
    return {
        "default": server.settings.default_model,
        "models": [
            {
                "name": model.name,
                "version": model.version,
                "inputs": [each.name for each in model.manifest.inputs],
                "metrics": model.manifest.metrics,
                "data": msgspec.to_builtins(model.manifest.data),
                "created": model.manifest.created,
            }
            for model in server.models.all()
        ],
        "refused": refused_versions(server),
        "vectors": [
            {
                "name": kind.name,
                "version": kind.version,
                "items": len(kind.index),
                "width": kind.index.width,
                "index": "exact" if kind.index.exact else "approximate",
            }
            for kind in server.vectors.all()
        ],
    }
