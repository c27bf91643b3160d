"""The messages of TensorFlow Serving's PredictionService that we send and read.

Built as descriptors in a pool of our own: tensorflow-serving-api's modules import all of TensorFlow, which the online
server must not load. Field names and numbers are those of tensorflow_serving/apis/predict.proto, model.proto and
tensorflow/core/framework/tensor.proto.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from features.arrays import FloatArray

PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"int64": _Field.TYPE_INT64, "int32": _Field.TYPE_INT32, "string": _Field.TYPE_STRING,
            "bytes": _Field.TYPE_BYTES, "float": _Field.TYPE_FLOAT, "double": _Field.TYPE_DOUBLE}  # fmt: skip

# message → field → (number, type, repeated)
_MESSAGES: dict[str, dict[str, tuple[int, str, bool]]] = {
    "Int64Value": {"value": (1, "int64", False)},
    "ModelSpec": {
        "name": (1, "string", False),
        "version": (2, "Int64Value", False),
        "signature_name": (3, "string", False),
    },
    "Dim": {"size": (1, "int64", False)},
    "TensorShape": {"dim": (2, "Dim", True)},
    "Tensor": {
        "dtype": (1, "int32", False),
        "tensor_shape": (2, "TensorShape", False),
        "tensor_content": (4, "bytes", False),
        "float_val": (5, "float", True),
        "double_val": (6, "double", True),
    },
    "Entry": {"key": (1, "string", False), "value": (2, "Tensor", False)},
    "PredictRequest": {"model_spec": (1, "ModelSpec", False), "inputs": (2, "Entry", True)},
    "PredictResponse": {"outputs": (1, "Entry", True), "model_spec": (2, "ModelSpec", False)},
}
# DataType numbers of tensorflow/core/framework/types.proto.
_DTYPES: Final = {np.dtype(np.float32): 1, np.dtype(np.float64): 2, np.dtype(np.int32): 3, np.dtype(np.int64): 9}


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="martlet/serving.proto", package="martlet", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind, repeated) in fields.items():
            field = message.field.add(name=field_name, number=number)
            field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".martlet.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"martlet.{name}")) for name in _MESSAGES}


_CLASSES: Final = _build()


def encode_request(
    name: str, version: int, inputs: Mapping[str, npt.NDArray[np.generic]], signature: str = ""
) -> bytes:
    """A PredictRequest for one version of a model, to its default signature or another; arrays go as tensor_content
    (little-endian)."""
    request = _CLASSES["PredictRequest"]()
    request.model_spec.name = name
    request.model_spec.version.value = version
    request.model_spec.signature_name = signature
    for key, array in inputs.items():
        entry = request.inputs.add(key=key)
        entry.value.dtype = _DTYPES[array.dtype]
        for size in array.shape:
            entry.value.tensor_shape.dim.add(size=size)
        entry.value.tensor_content = np.ascontiguousarray(array).tobytes()
    return bytes(request.SerializeToString())


def decode_response(data: bytes) -> FloatArray:
    """The one output of a PredictResponse, flat, as float32. Raises ValueError for anything else."""
    response = _CLASSES["PredictResponse"]()
    try:
        response.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(f"expected a PredictResponse: {error}") from error
    if len(response.outputs) != 1:
        raise ValueError(f"expected one output, got {len(response.outputs)}")
    tensor = response.outputs[0].value
    if tensor.tensor_content:
        kind = np.float64 if tensor.dtype == 2 else np.float32
        return np.frombuffer(tensor.tensor_content, kind).astype(np.float32)
    values = tensor.float_val or tensor.double_val
    return np.fromiter(values, np.float32, len(values))
