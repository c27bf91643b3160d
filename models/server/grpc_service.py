"""PredictionService and ModelService over grpc.aio.

Handlers are registered by name, and take and give bytes; each method is a plain function from message to message, so
that all of them have the same errors, counts, times and lanes.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    regression_pb2,
)

from models.server import config
from models.server.buffered import MAX_REQUEST_BYTES, Buffered
from models.server.engine import inference
from models.server.engine.manager import Manager, lease_spec
from models.server.engine.tensors import decoded_bytes
from models.server.engine.wire import PredictRequest, check_fields
from models.server.engine.worker_threads import INLINE_BYTES, Lanes
from models.server.errors import Code, ServingError, invalid
from models.server.metrics import Metrics
from models.server.rest_json import model_status

_log = logging.getLogger(__name__)
_MAX_CONCURRENT = 128
"""gRPC shows a request once the whole of it has come: calls that stop before their ends hold MAX_REQUEST_BYTES, so many times, at
most. What has come counts in ``Buffered``."""
_MAX_RELOAD_BYTES = INLINE_BYTES
"""Of a reload: its models, of which this is room for thousands, become up to 55 times as large once they are parsed."""
_STATUS = {code.value[0]: code for code in grpc.StatusCode}
_SIGNATURES = "signature_def"
_MAX_MESSAGE = 1024


@dataclass(frozen=True)
class _Method:
    """One unary method: the messages it takes and gives, what it does, and where.

    decoded: the bytes that a request becomes beside those in which it came; no end of them for what takes long whatever its size
    max_bytes: the bytes of a request
    """

    request: Any
    run: Callable[[Any], Any]
    decoded: Callable[[Any], float] = lambda request: 0
    max_bytes: int = MAX_REQUEST_BYTES
    timed: bool = False


class GrpcService:
    """The two services over one manager."""

    def __init__(self, manager: Manager, metrics: Metrics, lanes: Lanes, buffered: Buffered) -> None:
        self._manager = manager
        self._metrics = metrics
        self._lanes = lanes
        self._buffered = buffered

    def server(self) -> Any:
        """A grpc.aio server with both services, not yet bound or started."""
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=_MAX_CONCURRENT,
        )
        prediction = {
            "Predict": _Method(PredictRequest, self._predict, _decoded_inputs, timed=True),
            "Classify": _Method(
                classification_pb2.ClassificationRequest, self._classify, _decoded_examples, timed=True
            ),
            "Regress": _Method(regression_pb2.RegressionRequest, self._regress, _decoded_examples, timed=True),
            "MultiInference": _Method(inference_pb2.MultiInferenceRequest, self._multi_inference, _decoded_examples),
            "GetModelMetadata": _Method(get_model_metadata_pb2.GetModelMetadataRequest, self._metadata),
        }
        model = {
            "GetModelStatus": _Method(get_model_status_pb2.GetModelStatusRequest, self._status),
            "HandleReloadConfigRequest": _Method(
                model_management_pb2.ReloadConfigRequest, self._reload, lambda request: math.inf, _MAX_RELOAD_BYTES
            ),
        }
        for service, methods in (("PredictionService", prediction), ("ModelService", model)):
            handlers = {name: self._handler(name, method) for name, method in methods.items()}
            full_name = f"tensorflow.serving.{service}"
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(full_name, handlers),))
        return server

    def _handler(self, name: str, method: _Method) -> Any:
        async def handle(data: bytes, context: Any) -> bytes:
            outcome = self._outcome(name, method, data, context.time_remaining())
            del data  # the error by which gRPC ends a call holds this frame until the next collection
            answer, code, message = await outcome
            if code is not Code.OK:
                await context.abort(_STATUS[code.value], _cut(message))
            return answer

        return grpc.unary_unary_rpc_method_handler(handle)

    async def _outcome(
        self, name: str, method: _Method, data: bytes, remaining: float | None
    ) -> tuple[bytes, Code, str]:
        """The answer to ``data``, for which the caller waits ``remaining`` seconds; or a code other than OK, and its message."""
        if remaining is not None and remaining <= 0:  # nobody waits for this answer any more
            return b"", Code.DEADLINE_EXCEEDED, "the deadline passed before the request began"
        model, code, message, began = "", Code.CANCELLED, "", time.perf_counter()

        def parse() -> Any:
            nonlocal model
            request = _parsed(method.request, data)
            if method.timed:
                model = request.model_spec.name
            return request

        try:
            answer = await self._answer(method, parse, data)
            code = Code.OK
            return answer, code, message
        except ServingError as error:
            # Nothing but these stays: the error holds this frame, and so the request, until the next collection.
            code, message = error.code, error.message
        except Exception:
            _log.exception("%s failed", name)
            code, message = Code.INTERNAL, "internal error; the server's log has the details"
        finally:
            if method.timed:
                self._count(model, name, code, time.perf_counter() - began)
        return b"", code, message

    async def _answer(self, method: _Method, parse: Callable[[], Any], data: bytes) -> bytes:
        """The answer to what ``parse`` gives of ``data``: what is large, or becomes so, off the event loop. Raises
        RESOURCE_EXHAUSTED for more than such a request may have, or all of them together."""

        def work(parsed: Any) -> bytes:
            response: bytes = method.run(parsed).SerializeToString()
            return response

        if len(data) > method.max_bytes:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"the request is too large: expected {method.max_bytes:,} bytes at most, got {len(data):,}",
            )
        with self._buffered.of_one() as body:
            body.hold(len(data))
            return await self._lanes.run(len(data), parse, method.decoded, work)

    def _count(self, model: str, api: str, code: Code, seconds: float) -> None:
        known = self._manager.serves(model)
        self._metrics.count(model if known else "", code)
        if code is Code.OK:
            self._metrics.observe(model, api, "GRPC", seconds)

    def _predict(self, request: Any) -> Any:
        with self._lease(request) as servable:
            return inference.predict_proto(servable, request)

    def _classify(self, request: Any) -> Any:
        with self._lease(request) as servable:
            return inference.classify_proto(servable, request)

    def _regress(self, request: Any) -> Any:
        with self._lease(request) as servable:
            return inference.regress_proto(servable, request)

    def _multi_inference(self, request: Any) -> Any:
        spec = request.tasks[0].model_spec if request.tasks else inference_pb2.InferenceTask().model_spec
        with lease_spec(self._manager, spec) as servable:
            return inference.multi_inference_proto(servable, request)

    def _lease(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return lease_spec(self._manager, request.model_spec)

    def _metadata(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for metadata_field in request.metadata_field:
            if metadata_field != _SIGNATURES:
                raise invalid(f"Metadata field {metadata_field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._lease(request) as servable:
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.metadata[_SIGNATURES].Pack(model_status.signature_map(servable))
        return response

    def _status(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._manager.statuses(spec.name, version):
            entry = response.model_version_status.add(version=status.version, state=int(status.state))
            entry.status.error_code = int(status.code)
            entry.status.error_message = status.message
        return response

    def _reload(self, request: Any) -> Any:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        self._manager.reload(config.from_proto(request.config))
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = int(Code.OK)
        return response


def _parsed(message: Callable[[], Any], data: bytes) -> Any:
    """``data`` as a ``message``. Raises INTERNAL for what is none, and as ``check_fields``."""
    check_fields(data)
    request = message()
    try:
        request.ParseFromString(data)
    except DecodeError:
        raise ServingError(Code.INTERNAL, f"the request is no {request.DESCRIPTOR.full_name}") from None
    return request


def _decoded_inputs(request: Any) -> int:
    return decoded_bytes(request.inputs)


def _decoded_examples(request: Any) -> int:
    return inference.examples_bytes(request.input)


def _cut(message: str) -> str:
    """The part of a message that fits: clients refuse an answer whose trailers are larger than 8 kB."""
    data = message.encode("utf-8", "replace")
    return message if len(data) <= _MAX_MESSAGE else data[:_MAX_MESSAGE].decode("utf-8", "ignore") + "...TRUNCATED"
