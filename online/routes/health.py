"""/healthz, /readyz, /metrics."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from online import metrics
from online.routes.readiness import models_ready
from online.state import Server, server_of

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(server: Annotated[Server, Depends(server_of)]) -> JSONResponse:
    """Each dependency by name; 503 while one is missing (recommendations are answered all the same)."""
    models = [f"{model.name}/{model.version}" for model in server.models.all()]
    parts = {
        "redis": await server.users.ping(),
        "kafka": server.log.connected,
        "models": models_ready(server),
        "items": server.follower.fresh,
    }
    ready = all(parts.values())
    return JSONResponse({"ready": ready, "dependencies": parts, "models": models}, 200 if ready else 503)


@router.get("/metrics")
async def get_metrics(server: Annotated[Server, Depends(server_of)]) -> Response:
    """The API's own numbers, and the job's as Redis holds them."""
    text = generate_latest(metrics.REGISTRY) + await server.job.exposition()
    return Response(text, media_type=CONTENT_TYPE_LATEST)
