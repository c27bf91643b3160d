"""The REST API as a bare ASGI application.

Limits come before reading, reading before parsing, parsing before the model is looked up. Every answer is a status and
a body; errors are ``{"error": text}``.
"""

import asyncio
import logging
import re
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from tensorflow_serving.apis import classification_pb2, regression_pb2

from features.http_bodies import Body, Disconnected, Message, Receive, TooLarge
from models.server import url_routes
from models.server.buffered import MAX_REQUEST_BYTES, Buffered
from models.server.engine import inference
from models.server.engine.manager import Manager
from models.server.engine.servable import DEFAULT_SIGNATURE, Servable, Signature
from models.server.engine.worker_threads import INLINE_BYTES, Lanes
from models.server.errors import Code, ServingError, http_status, invalid
from models.server.metrics import Metrics
from models.server.rest_json import examples, model_status, predict, response
from models.server.rest_json.text import parse_object
from models.server.url_routes import Route

_log = logging.getLogger(__name__)
_ORIGIN = re.compile(rb"https?://")

Send = Callable[[Message], Awaitable[None]]

_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)
_GZIP = 16 + zlib.MAX_WBITS
_TOO_LARGE = f"a request may have {MAX_REQUEST_BYTES} bytes at most"

_NO_GZIP = "the body is not the gzip that its Content-Encoding says"


class RestApp:
    """The API over one manager.

    ``body_timeout`` is how many seconds a request's body may take to arrive, ``metrics_path`` where the figures are (""
    is nowhere), ``cors`` whether browsers may read answers on pages of other servers.
    """

    def __init__(
        self,
        manager: Manager,
        metrics: Metrics,
        lanes: Lanes,
        buffered: Buffered,
        body_timeout: float,
        metrics_path: str,
        cors: bool,
    ) -> None:
        self._manager = manager
        self._metrics = metrics
        self._lanes = lanes
        self._buffered = buffered
        self._body_timeout = body_timeout
        self._metrics_path = metrics_path
        self._headers = _CORS if cors else ()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        path = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            path += "?" + scope["query_string"].decode("latin-1")
        method: str = scope["method"]
        if path == self._metrics_path and method == "GET":
            page = self._metrics.page(self._manager.available())
            await _answer(send, 200, page.encode(), b"text/plain")
        elif not url_routes.is_api(path):
            await _answer(send, 404, response.error_body(f"nothing is served at {path}"))
        elif method == "OPTIONS":
            origin = _header(scope["headers"], b"origin")
            await _answer(send, 200 if _ORIGIN.search(origin) else 400, b"", headers=self._headers)
        else:
            await self._request(method, path, scope["headers"], receive, send)

    async def _request(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], receive: Receive, send: Send
    ) -> None:
        began = time.perf_counter()
        try:
            with self._buffered.of_one() as body:
                data = await self._body(headers, receive, body)
                if b"gzip" in _header(headers, b"content-encoding"):
                    data = await self._plain(data)
                    body.hold(len(data))
                status, answer = await self._handle(method, path, data, began)
                await _answer(send, status, answer, headers=self._headers)
        except TooLarge:
            await _answer(send, 413, response.error_body(_TOO_LARGE), close=True)
        except ServingError as error:
            await _answer(send, http_status(error.code), response.error_body(error.message), close=True)
        except asyncio.CancelledError:  # the grace period is over and the request has not even arrived
            await _answer(send, 503, response.error_body("the server is stopping"), close=True)

    async def _body(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive, body: Body) -> bytes:
        """The whole body. Raises TooLarge, DEADLINE_EXCEEDED if it drips, CANCELLED if nobody waits, and RESOURCE_EXHAUSTED
        where others leave no room for it, or need its own."""
        try:
            return await body.read(headers, receive, MAX_REQUEST_BYTES, self._body_timeout)
        except Disconnected:
            raise ServingError(Code.CANCELLED, "the client has gone") from None
        except TimeoutError:
            raise ServingError(Code.DEADLINE_EXCEEDED, "the request's body did not arrive in time") from None

    async def _plain(self, body: bytes) -> bytes:
        """A body that came as gzip; one that is small, and stays so, waits for no large request. Raises as _inflated."""
        if len(body) <= INLINE_BYTES:
            with suppress(TooLarge):
                return _inflated(body, INLINE_BYTES)
        return await self._lanes.run_in_background(partial(_inflated, body, MAX_REQUEST_BYTES))

    async def _handle(self, method: str, path: str, body: bytes, began: float) -> tuple[int, bytes]:
        """Status and body of the answer; counts and times the request if it is one to a model."""
        route: Route | None = None
        code = Code.OK
        try:
            route = url_routes.parse(method, path)
            answer = await self._dispatch(route, body)
        except ServingError as error:
            code, answer = error.code, response.error_body(error.message)
        except Exception:
            _log.exception("%s %s failed", method, path)
            code = Code.INTERNAL
            answer = response.error_body("internal error; the server's log has the details")
        name = route.name if route and self._manager.serves(route.name) else ""
        self._metrics.count(name, code)
        if route and code is Code.OK:
            self._metrics.observe(name, route.verb, "REST", time.perf_counter() - began)
        return http_status(code), answer

    async def _dispatch(self, route: Route, body: bytes) -> bytes:
        if route.verb == "predict":
            return await self._lanes.run(
                len(body), partial(parse_object, body), lambda document: 0, partial(self._predict, route)
            )
        if route.verb == "classify":
            return await self._on_examples(
                body, classification_pb2.ClassificationRequest, partial(self._classify, route)
            )
        if route.verb == "regress":
            return await self._on_examples(body, regression_pb2.RegressionRequest, partial(self._regress, route))
        if route.verb == "metadata":
            with self._manager.lease(route.name, route.version, route.label) as servable:
                return model_status.metadata_body(servable)
        return model_status.status_body(self._manager.statuses(route.name, route.version))

    async def _on_examples(self, body: bytes, kind: Callable[[], Any], work: Callable[[Any], bytes]) -> bytes:
        """The answer to a body that is read into a request of ``kind``."""

        def parse() -> Any:
            request = kind()
            examples.fill_request(parse_object(body), request)
            return request

        return await self._lanes.run(
            examples.filled_bytes(body), parse, lambda request: inference.examples_bytes(request.input), work
        )

    def _predict(self, route: Route, document: dict[str, Any]) -> bytes:
        name = predict.signature_name(document)
        with self._manager.lease(route.name, route.version, route.label) as servable:
            signature = _predict_signature(servable, name)
            layout, inputs = predict.read_inputs(document, signature.inputs)
            outputs = inference.predict(servable, signature, inputs)
        return response.predict_body(outputs, layout)

    def _classify(self, route: Route, request: Any) -> bytes:
        with self._manager.lease(route.name, route.version, route.label) as servable:
            return response.classify_body(inference.classify_proto(servable, request).result)

    def _regress(self, route: Route, request: Any) -> bytes:
        with self._manager.lease(route.name, route.version, route.label) as servable:
            return response.regress_body(inference.regress_proto(servable, request).result)


async def refuse_busy(scope: Message, receive: Receive, send: Send) -> None:
    """Answer a request beyond `features.http_connections.MAX_REQUESTS` with 429. An ASGI application."""
    await _answer(send, 429, response.error_body("too many requests at once; try again later"))


def _predict_signature(servable: Servable, name: str) -> Signature:
    signature = servable.signatures.get(name or DEFAULT_SIGNATURE)
    if signature is None:
        raise invalid(f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found in signature def')
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    return signature


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")


def _inflated(body: bytes, limit: int) -> bytes:
    """A body that came as gzip. Raises TooLarge before it has more bytes than that, INVALID_ARGUMENT for what is no gzip."""
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error:
        raise invalid(_NO_GZIP) from None
    if len(plain) > limit:
        raise TooLarge
    if body and not stream.eof:
        raise invalid(_NO_GZIP)
    return plain


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes = b"application/json",
    close: bool = False,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    every = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *headers]
    if close:  # the rest of the request is not read
        every.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": every})
    await send({"type": "http.response.body", "body": body})
