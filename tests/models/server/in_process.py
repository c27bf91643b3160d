"""Both protocols in this process, over one model that has no version unless a test brings another manager."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import httpx
import pytest

from models.server.buffered import Buffered
from models.server.config import single_model
from models.server.engine.manager import Manager
from models.server.engine.worker_threads import Lanes
from models.server.grpc_service import GrpcService
from models.server.metrics import Metrics
from models.server.rest import RestApp
from tests.patience import patience

MANAGER = Manager(single_model("m", "/none"), 1.0)


@asynccontextmanager
async def serving(lanes: Lanes, buffered: Buffered, manager: Manager = MANAGER) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server in this process."""
    server = GrpcService(manager, Metrics(), lanes, buffered).server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)
        lanes.close()


async def code_of(
    channel: grpc.aio.Channel, request: bytes, method: str = "Predict", seconds: float = 60
) -> grpc.StatusCode:
    """The code of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")(request, timeout=patience(seconds))
    return caught.value.code()


def rest_client(lanes: Lanes, buffered: Buffered, manager: Manager = MANAGER) -> httpx.AsyncClient:
    rest = RestApp(manager, Metrics(), lanes, buffered, 10, "", False)
    return httpx.AsyncClient(transport=httpx.ASGITransport(rest), base_url="http://m")
