"""TensorFlow Serving over gRPC, the faster transport: tensors are sent as bytes."""

from typing import Any

import grpc
import grpc.aio

from features.arrays import FloatArray
from features.errors import Unavailable
from online.model_client.predict_wire import PREDICT, decode_response, encode_request
from online.model_client.transport import MAX_ANSWER, Inputs, Overloaded, Refused, VersionWithdrawn

_ERRORS = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.NOT_FOUND: VersionWithdrawn,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
}
"""What a status means; any other is the server's refusal of this call."""


class GrpcTransport:
    """Predict calls over gRPC. address: host:port."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None

    async def start(self) -> None:
        self._channel = grpc.aio.insecure_channel(
            self._address,
            options=[
                ("grpc.enable_retries", 0),
                ("grpc.max_receive_message_length", MAX_ANSWER),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.enable_http_proxy", 0),
            ],
        )
        self._call = self._channel.unary_unary(PREDICT)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close(0.5)

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
