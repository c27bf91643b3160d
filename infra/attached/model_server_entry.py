"""An attached model server, examined by `doctor`: whether it speaks TensorFlow Serving's protocol, and what it serves."""

from typing import Any, Final

from features.errors import Unavailable
from infra.attached.findings import Finding, away, refused, well
from infra.attached.reaching import reach
from infra.system import probes

NAME: Final = "model server"
SERVED: Final = "recmodel"
"""The model that a server is asked about."""
TIMEOUT: Final = 5.0
_STATUS: Final = "/tensorflow.serving.ModelService/GetModelStatus"


def examine_model_server(address: str, model: str = SERVED) -> Finding:
    """Returns whether a server of TensorFlow Serving's protocol answers at HOST:PORT by gRPC, or at a URL by REST, and serves a
    model. Which ones it must serve is not known here."""
    is_url = address.startswith(("http://", "https://"))
    return _by_rest(address, model) if is_url else _by_grpc(address, model)


def _by_rest(address: str, model: str) -> Finding:
    try:
        status = probes.http_status(f"{address.rstrip('/')}/v1/models/{model}")
    except Unavailable as error:
        return away(NAME, f"{address}: {error}", "start it, or change models.server")
    return well(NAME, f"{address} serves {model}" if status == 200 else _without(address, model))


def _by_grpc(address: str, model: str) -> Finding:
    import grpc  # which most programs that import this never need

    host, _, port = address.rpartition(":")
    reached = reach(NAME, host.strip("[]"), int(port), None)
    if reached.help:
        return reached
    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(_STATUS)
        try:
            call(_request(model), timeout=TIMEOUT)
        except grpc.RpcError as error:
            return _refusal(address, model, error)
    return well(NAME, f"{address} serves {model}")


def _refusal(address: str, model: str, error: Any) -> Finding:
    from grpc import StatusCode

    code, details = error.code(), str(error.details())
    if code is StatusCode.NOT_FOUND:
        return well(NAME, _without(address, model))
    found = f"{address}: {code.name}, {details[:200]}"
    if code is StatusCode.UNIMPLEMENTED:
        return refused(NAME, "TensorFlow Serving's ModelService", found, "models.server names another server")
    return away(NAME, found, "is it the port for gRPC? start it, or change models.server")


def _request(model: str) -> bytes:
    """Returns a GetModelStatusRequest: its field 1 is a ModelSpec, whose field 1 is the name."""
    name = model.encode()
    spec = b"\x0a" + bytes([len(name)]) + name
    return b"\x0a" + bytes([len(spec)]) + spec


def _without(address: str, model: str) -> str:
    return f"{address} answers, without {model}: run/models.config says what to serve"
