"""A gRPC server of PREDICT alone, which answers as a test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from online.model_client.predict_wire import PREDICT


@asynccontextmanager
async def predict_server(answer: Callable[[bytes, Any], Awaitable[bytes]]) -> AsyncIterator[int]:
    """Gives the port of the server, which listens on loopback."""
    server = grpc.aio.server()
    service, method = PREDICT.strip("/").split("/")
    handlers = {method: grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)
