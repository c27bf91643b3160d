"""GET /v1/ops: health overview of the home. POST /v1/admin/replay: start, speed up or stop a replay."""

import uuid
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends

from online.http.json_response import JsonResponse
from online.http.openapi import contract
from online.http.problems import Problem
from online.monitoring.replay_control import REQUEST_FILE, ReplayRequest, write_file
from online.routes.ops_overview import OpsOverview, ops
from online.server import Server, body_of, server_of
from online.support.reloadable_file import UNREADABLE

router = APIRouter()


class ReplayAccepted(msgspec.Struct, frozen=True):
    """The replay request that the supervisor will execute."""

    id: str
    speed: float | str | None


@router.get("/v1/ops")
@contract(OpsOverview)
async def get_ops(server: Annotated[Server, Depends(server_of)]) -> JsonResponse:
    """Ledger, freshness, lag, checkpoints, alarms, models, experiments per arm, degraded lists, the replay: as of now. Values
    of a service that is down are null."""
    return JsonResponse(await ops(server))


@router.post("/v1/admin/replay", status_code=202)
@contract(ReplayAccepted, status=202, body=ReplayRequest, problems=(404, 503))
async def post_replay(
    server: Annotated[Server, Depends(server_of)], body: Annotated[bytes, Depends(body_of)]
) -> JsonResponse:
    """{"speed": 1000}, {"speed": "max"}: what is left of the home's data set, as an event stream at that many times its own pace;
    one that runs goes on at the new speed. {"speed": null}: stop. The supervisor acts within a second; the result appears
    in `replay` of GET /v1/ops, under the returned `id`. 503 where no supervisor runs."""
    try:
        request = msgspec.json.decode(body, type=ReplayRequest)
    except UNREADABLE as error:
        raise Problem(422, f'expected {{"speed": a positive number, "max" or null}}: {error}') from error
    if server.settings.control is None:
        raise Problem(503, "no supervisor carries out a replay here; ./martlet replay does")
    request = msgspec.structs.replace(request, id=uuid.uuid4().hex)
    try:
        write_file(Path(server.settings.control) / REQUEST_FILE, request)
    except OSError as error:
        raise Problem(503, f"the wish can't be written: {error}") from error
    return JsonResponse(ReplayAccepted(request.id, request.speed), 202)
