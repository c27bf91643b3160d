"""/healthz, /readyz, /metrics: by GET, and by HEAD, as some balancers check."""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from features.version import VERSION
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.routes.models import models_ready
from online.server import Server, server_of
from online.support import metrics

router = APIRouter()
ALIVE = "/healthz"
"""The path of the check whether the process lives: answered however many requests there are."""


class Alive(msgspec.Struct, frozen=True):
    """The process lives."""

    status: Literal["alive"]
    version: str


class Dependencies(msgspec.Struct, frozen=True, kw_only=True):
    """Whether Redis and Kafka answer, of every model on disk a version ranks, and items are followed live: the catalogue as
    well as their features."""

    redis: bool
    kafka: bool
    models: bool
    items: bool

    @property
    def all_ready(self) -> bool:
        return self.redis and self.kafka and self.models and self.items


class Readiness(msgspec.Struct, frozen=True):
    """Whether everything that the API needs is there; `models`: those that rank, as name/version; `labelled`: versions that are
    held ready to be compared with them."""

    ready: bool
    dependencies: Dependencies
    models: list[str]
    labelled: list[str]


@router.head(ALIVE, include_in_schema=False)
@router.get(ALIVE)
@contract(Alive)
async def healthz() -> JsonResponse:
    """The process lives, and which version it is of."""
    return JsonResponse(Alive("alive", VERSION))


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
@contract(Readiness, also=(503,))
async def readyz(server: Annotated[Server, Depends(server_of)]) -> JsonResponse:
    """Each dependency by name; 503 while one is missing (recommendations are answered all the same)."""
    models = [f"{model.name}/{model.version}" for model in server.models.all()]
    parts = Dependencies(
        redis=await server.users.ping(),
        kafka=await server.event_log.answers(),
        models=models_ready(server),
        items=server.items_followed,
    )
    ready = parts.all_ready
    labelled = [f"{model.name}/{model.version}" for model in server.models.all_labelled()]
    return JsonResponse(Readiness(ready, parts, models, labelled), 200 if ready else 503)


@router.head("/metrics", include_in_schema=False)
@router.get("/metrics")
@contract(str, media_type="text/plain")
async def get_metrics(server: Annotated[Server, Depends(server_of)]) -> Response:
    """The API's own numbers, over all its processes on this machine, and the job's as Redis holds them."""
    text = metrics.exposition(server.metrics.collect()) + await server.job_metrics.exposition()
    return Response(text, media_type=CONTENT_TYPE_LATEST)
