"""Asks a TensorFlow Serving (or the embedded model server) for scores: one batched call, a deadline, no retries, and a
breaker that stops asking one that does not answer."""

import asyncio
import time
from typing import Any

import grpc
import grpc.aio
import numpy as np
import numpy.typing as npt

from features.errors import Unavailable
from online.ranking.wire import PREDICT, decode_response, encode_request

FAILURES_TO_OPEN = 3
OPEN_FOR = 1.0


class VersionGone(Unavailable):
    """The server does not have the version asked for: it was withdrawn a moment ago."""


class ModelClient:
    """gRPC client of a model server."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None
        self._failures = 0
        self._open_until = 0.0

    async def start(self) -> None:
        """Open the channel; it belongs to the running event loop. Does not wait for the server."""
        self._channel = grpc.aio.insecure_channel(
            self._address,
            options=[
                ("grpc.enable_retries", 0),
                ("grpc.max_receive_message_length", 16 << 20),
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

    @property
    def broken(self) -> bool:
        """Whether the breaker is open: asking would only cost time."""
        return time.monotonic() < self._open_until

    async def scores(
        self, name: str, version: int, inputs: dict[str, npt.NDArray[np.generic]], count: int, within: float
    ) -> npt.NDArray[np.float32]:
        """[count] scores. Raises Unavailable for no answer within `within` s, an error, or scores that are not `count`
        finite numbers."""
        if self.broken:
            raise Unavailable("the model server did not answer just now")
        try:
            async with asyncio.timeout(within):
                answer = await self._call(encode_request(name, version, inputs), timeout=within)
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            code = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
            if code not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
                self._failed()
            detail = (
                f"{code}: {error.details()}"
                if isinstance(error, grpc.aio.AioRpcError)
                else f"no answer in {within:.3f} s"
            )
            kind = VersionGone if code == grpc.StatusCode.NOT_FOUND else Unavailable
            raise kind(f"model {name} version {version}: {detail[:300]}") from error
        self._failures = 0
        try:
            scores = decode_response(answer)
        except ValueError as error:
            raise Unavailable(f"model {name} version {version}: {error}") from error
        if scores.shape != (count,) or not np.isfinite(scores).all():
            raise Unavailable(
                f"model {name} version {version} gave {scores.shape} scores for {count} items, or not finite ones"
            )
        return scores

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self._open_until = time.monotonic() + OPEN_FOR
