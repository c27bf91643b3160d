"""TensorFlow Serving over gRPC, the faster transport: tensors are sent as bytes."""

import asyncio
from typing import Any, Final

import grpc
import grpc.aio

from features.arrays import FloatArray
from features.errors import Unavailable
from online.model_client.predict_wire import PREDICT, decode_response, encode_request
from online.model_client.transport import MAX_ANSWER, Inputs, Overloaded, Refused, VersionWithdrawn
from online.support.background import end

_ERRORS = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.NOT_FOUND: VersionWithdrawn,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
}
"""What a status means; any other is the server's refusal of this call."""
LAST_CALLS: Final = 30.0
"""Seconds that calls in progress over a connection that is given up still have, more than the timeout of any."""


class GrpcTransport:
    """Predict calls over gRPC. address: host:port."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._open()

    def _open(self) -> None:
        """Make a channel that connects at once: a connection to a server far away takes longer than the call that needs it may,
        and where a breaker is open that call is the only one."""
        self._channel = grpc.aio.insecure_channel(
            self._address,
            options=[
                ("grpc.enable_retries", 0),
                ("grpc.max_receive_message_length", MAX_ANSWER),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.enable_http_proxy", 0),
                ("grpc.use_local_subchannel_pool", 1),  # else a new channel takes over the connection of the one before
            ],
        )
        self._call = self._channel.unary_unary(PREDICT)
        self._channel.get_state(try_to_connect=True)

    def reconnect(self) -> None:
        if self._channel is None:
            return
        closing = asyncio.create_task(_retire(self._channel), name="model channel")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._open()

    async def close(self) -> None:
        channel, self._channel = self._channel, None
        await end(*self._closing)
        if channel is not None:
            await channel.close(0.5)

    async def predict(self, name: str, version: int, inputs: Inputs, timeout: float, signature: str = "") -> FloatArray:
        try:
            answer = await self._call(encode_request(name, version, inputs, signature), timeout=timeout)
        except grpc.aio.AioRpcError as error:
            kind = _ERRORS.get(error.code(), Refused)
            raise kind(f"{error.code()}: {str(error.details())[:300]}") from error
        try:
            return decode_response(answer)
        except ValueError as error:
            raise Refused(str(error)) from error


async def _retire(channel: grpc.aio.Channel) -> None:
    """Close a channel after its last calls; at once where this is cancelled."""
    try:
        await channel.close(LAST_CALLS)
    finally:
        await channel.close()
