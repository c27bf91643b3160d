"""GET /v1/models: what ranks, and what was refused."""

from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Depends

from models.registry import DataSeen, Labels
from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.ranking.policy import IN_PROCESS, MODEL_SERVER
from online.server import Server, server_of

router = APIRouter()


class RefusedVersion(msgspec.Struct, frozen=True):
    """A version of a model or of vectors, or a base with its weights between items, that is not used, and why."""

    name: str
    version: int
    reason: str


class RankingModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that ranks now, with what is known of it. ranking: where, as `serving.json` names it; not_in_process: why it ranks
    by the model server though the file says in-process, else null; labels: of its versions, where these are judged."""

    name: str
    version: int
    inputs: list[str]
    metrics: dict[str, float]
    data: DataSeen
    created: int
    ranking: Literal["model-server", "in-process"]
    not_in_process: str | None
    labels: dict[str, int]


class ItemVectors(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of item vectors that recall uses now."""

    name: str
    version: int
    items: int
    width: int
    index: Literal["exact", "approximate"]


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """The models that rank, the vectors that recall uses, and what was refused. `default` ranks where none is named;
    item_weights: the base whose weights between items recall uses."""

    default: str
    models: list[RankingModel]
    refused: list[RefusedVersion]
    vectors: list[ItemVectors]
    item_weights: int


UNLABELLED: Final = Labels()
"""Of a model whose versions are not judged."""


def models_ready(server: Server) -> bool:
    """Whether a version of every model on disk ranks, and the model server responds."""
    return server.models.on_disk <= {each.name for each in server.models.all()} and not server.client.broken


def refused_versions(server: Server) -> list[RefusedVersion]:
    """Versions of models and of vectors, and bases' weights between items, that are not used, and why."""
    refused = server.models.refused | server.vectors.refused | server.item_weights.refused
    return [RefusedVersion(name, version, why) for (name, version), why in sorted(refused.items())]


@router.get("/v1/models")
@contract(Models)
async def get_models(server: Annotated[Server, Depends(server_of)]) -> JsonResponse:
    """The models that rank now, with what is known of them; the vectors of items that recall uses; and the versions of both that
    were refused, with the reason."""
    sessions = server.models.sessions
    return JsonResponse(
        Models(
            default=server.settings.default_model,
            models=[
                RankingModel(
                    name=model.name,
                    version=model.version,
                    inputs=[each.name for each in model.manifest.inputs],
                    metrics=model.manifest.metrics,
                    data=model.manifest.data,
                    created=model.manifest.created,
                    ranking=IN_PROCESS if sessions.holds(model.name, model.version) else MODEL_SERVER,
                    not_in_process=sessions.reasons.get((model.name, model.version)),
                    labels=(server.models.labels(model.name) or UNLABELLED).named(),
                )
                for model in server.models.all()
            ],
            refused=refused_versions(server),
            vectors=[
                ItemVectors(
                    name=kind.name,
                    version=kind.version,
                    items=len(kind.index),
                    width=kind.index.width,
                    index="exact" if kind.index.exact else "approximate",
                )
                for kind in server.vectors.all()
            ],
            item_weights=server.item_weights.number,
        )
    )
