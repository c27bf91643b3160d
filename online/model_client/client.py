"""Client of TensorFlow Serving or the embedded model server: one batched call, a deadline, no retries, and a circuit
breaker."""

import time

import numpy as np

from features.arrays import FloatArray
from features.errors import Unavailable
from online.model_client.grpc_transport import GrpcTransport
from online.model_client.rest_transport import RestTransport
from online.model_client.transport import Inputs, Refused, Transport
from online.support.circuit_breaker import CircuitBreaker
from online.support.deadline import lag_tolerant_timeout

FAILURES_TO_OPEN = 3
OPEN_FOR = 1.0
COUNTS_FROM = 0.03
"""Seconds: calls with a shorter timeout neither count for the breaker nor probe the server while it is half-open."""


class ModelClient:
    """Client of a model server. address: host:port for gRPC, http://host:port for REST."""

    def __init__(self, address: str) -> None:
        by_rest = address.startswith(("http://", "https://"))
        self._transport: Transport = RestTransport(address) if by_rest else GrpcTransport(address)
        self._breaker = CircuitBreaker(FAILURES_TO_OPEN, OPEN_FOR)
        self._vector_breaker = CircuitBreaker(FAILURES_TO_OPEN, OPEN_FOR)
        self._late_vectors = 0
        """Users' vectors that did not come in time since the last call, of any kind, that was answered."""

    async def start(self) -> None:
        """Bind to the running event loop. Does not wait for the server."""
        await self._transport.start()

    async def close(self) -> None:
        await self._transport.close()

    @property
    def broken(self) -> bool:
        """Whether the server has given no answer for a while: a breaker is open, that of users' vectors without an answer to any
        other call."""
        return self._breaker.open or (self._vector_breaker.open and self._is_silent)

    @property
    def _is_silent(self) -> bool:
        return self._late_vectors >= FAILURES_TO_OPEN

    async def scores(self, name: str, version: int, inputs: Inputs, count: int, timeout: float) -> FloatArray:
        """[count] scores. Raises Unavailable for no response within `timeout` s, an error, or scores that are not `count`
        finite numbers; VersionWithdrawn for a version that the server does not have."""
        breaker = self._breaker if timeout >= COUNTS_FROM else None
        return await self._predict(name, version, inputs, "", count, timeout, breaker)

    async def check(self, name: str, version: int, inputs: Inputs, count: int, timeout: float) -> FloatArray:
        """As `scores`, for a version that is not in use: what becomes of it says nothing about the server, so it does not count
        for the breaker. Where no answer comes the next call is made over a new connection, since there may be no other calls."""
        try:
            return await self._predict(name, version, inputs, "", count, timeout, None)
        except Refused:
            raise
        except Unavailable:
            self._transport.reconnect()
            raise

    async def vector(
        self, name: str, version: int, signature: str, inputs: Inputs, width: int, timeout: float
    ) -> FloatArray:
        """[width] the output of a signature for one row. Raises as `scores`. A timeout opens a breaker of these calls alone:
        recall waits less long than ranking does, and where models rank in this process there are no others."""
        return await self._predict(name, version, inputs, signature, width, timeout, self._vector_breaker)

    async def _predict(
        self,
        name: str,
        version: int,
        inputs: Inputs,
        signature: str,
        count: int,
        timeout: float,
        breaker: CircuitBreaker | None,
    ) -> FloatArray:
        """Returns the numbers of one call, whose outcome `breaker` counts."""
        if self._breaker.open or (breaker is not None and not breaker.allow()):
            raise Unavailable("the model server did not answer just now")
        model, began = f"model {name} version {version}", time.monotonic()
        try:
            async with lag_tolerant_timeout(timeout):
                numbers = await self._transport.predict(name, version, inputs, timeout, signature)
        except Refused as error:
            self._record_answer(breaker, began)
            raise type(error)(f"{model}: {error}") from error
        except TimeoutError as error:
            self._record_failure(breaker, began)
            raise Unavailable(f"{model}: no answer in {timeout:.3f} s") from error
        except Unavailable as error:
            self._record_failure(breaker, began)
            raise Unavailable(f"{model}: {error}") from error
        except BaseException:
            if breaker is not None:
                breaker.record_cancelled(began)
            raise
        self._record_answer(breaker, began)
        if numbers.shape != (count,) or not np.isfinite(numbers).all():
            raise Refused(f"{model} gave {numbers.shape} numbers where {count} are due, or not finite ones")
        return numbers

    def _record_answer(self, breaker: CircuitBreaker | None, began: float) -> None:
        self._late_vectors = 0
        if breaker is not None:
            breaker.record_success(began)

    def _record_failure(self, breaker: CircuitBreaker | None, began: float) -> None:
        """Count a failure; where the breaker opens by it the next call is made over a new connection. For users' vectors only if
        nothing else was answered: rankings, which have longer, go over the same one."""
        if breaker is None:
            return
        opens = breaker.record_failure(began)
        self._late_vectors += breaker is self._vector_breaker
        if opens and (breaker is self._breaker or self._is_silent):
            self._transport.reconnect()
