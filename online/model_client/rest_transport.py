"""TensorFlow Serving over REST, for networks that block gRPC: whole columns as JSON."""

import httpx
import numpy as np
import orjson

from features.arrays import FloatArray
from features.errors import Unavailable
from online.model_client.transport import MAX_ANSWER, Inputs, Overloaded, Refused, VersionWithdrawn

_ERRORS = {
    404: VersionWithdrawn,
    408: Unavailable,
    429: Overloaded,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""What a status other than 200 means; any other is the server's refusal of this call."""
_CONNECTIONS = 64


class RestTransport:
    """Predict calls over REST. address: http://host:port."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        self._client = httpx.AsyncClient(base_url=self._address, limits=limits, trust_env=False)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def reconnect(self) -> None:
        """A connection over which no answer came in time was closed with its call."""

    async def predict(self, name: str, version: int, inputs: Inputs, timeout: float, signature: str = "") -> FloatArray:
        columns = {key: np.ascontiguousarray(array) for key, array in inputs.items()}
        named = {"signature_name": signature} if signature else {}
        body = orjson.dumps({"inputs": columns, **named}, option=orjson.OPT_SERIALIZE_NUMPY)
        status, answer = await self._post(f"/v1/models/{name}/versions/{version}:predict", body, timeout)
        if status != 200:
            raise _ERRORS.get(status, Refused)(f"HTTP {status}: {_complaint(answer)[:300]}")
        try:
            outputs = orjson.loads(answer)["outputs"]  # no JSON if a score is not finite, as orjson reads it
            if isinstance(outputs, dict):
                raise ValueError(f"expected one output, got {len(outputs)}")
            return np.asarray(outputs, np.float32).reshape(-1)
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(f"no scores in the answer: {error}") from error

    async def _post(self, path: str, body: bytes, timeout: float) -> tuple[int, bytes]:
        assert self._client is not None
        chunks, size = [], 0
        try:
            async with self._client.stream("POST", path, content=body, timeout=timeout) as answer:
                async for chunk in answer.aiter_bytes():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > MAX_ANSWER:
                        raise Unavailable(f"an answer of more than {MAX_ANSWER} bytes")
        except httpx.HTTPError as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        return answer.status_code, b"".join(chunks)


def _complaint(answer: bytes) -> str:
    """The text of `{"error": text}`, or the start of the body if it is not of that form."""
    try:
        return str(orjson.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer[:300].decode(errors="replace")
