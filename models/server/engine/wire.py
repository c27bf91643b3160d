"""What is not parsed of messages of gRPC: more fields than a request has, and what no served tensor has.

An empty entry of a map is two bytes on the wire, and parsed some 180; so is an empty tensor within a variant.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow_serving.apis import predict_pb2

from models.server.errors import invalid

MAX_FIELDS = 1_000
"""Of one message: its inputs, and names of outputs, are tens. Each entry of a map or a list is a field of its own."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

_UNSERVED = ("resource_handle_val", "variant_val")
"""Fields of a TensorProto whose values no model takes over gRPC."""


def _copy(file: Any, pool: Any) -> None:
    """Add a file of messages to ``pool``, after those that it imports; its TensorProto is without the fields of _UNSERVED."""
    for imported in file.dependencies:
        _copy(imported, pool)
    proto = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(proto)
    for message in proto.message_type:
        if message.name == "TensorProto":
            served = [field for field in message.field if field.name not in _UNSERVED]
            del message.field[:]
            message.field.extend(served)
    pool.Add(proto)


def _predict_request() -> Any:
    pool = descriptor_pool.DescriptorPool()
    _copy(predict_pb2.DESCRIPTOR, pool)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.PredictRequest"))


PredictRequest: Final = _predict_request()
"""A PredictRequest in which fields of _UNSERVED stay the bytes in which they came."""


def check_fields(data: bytes) -> None:
    """Raises INVALID_ARGUMENT for a message of more than MAX_FIELDS fields; what is no message is left to its parser.

    The fields of a group count as its message's: no message of the service has one.
    """
    at = fields = 0
    try:
        while at < len(data):
            fields += 1
            if fields > MAX_FIELDS:
                raise invalid(
                    f"the request has too many inputs or other fields: expected {MAX_FIELDS:,} at most, and {len(data):,} bytes "
                    f"with more came"
                )
            tag, at = _varint(data, at)
            kind = tag & 7
            if kind == _VARINT:
                _, at = _varint(data, at)
            elif kind == _LENGTH:
                size, at = _varint(data, at)
                at += size
            elif kind in (_FIXED64, _FIXED32):
                at += 8 if kind == _FIXED64 else 4
    except IndexError:
        return


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at ``at``, and where it ends. Raises IndexError if it does not, as the parser takes no longer ones."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError
