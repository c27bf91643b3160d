"""What is refused before a model is run."""

import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from models.server.engine.inference import predict_proto
from models.server.engine.servable import Servable, Signature
from models.server.engine.tensors import MAX_INPUT_BYTES
from models.server.errors import ServingError

pytestmark = pytest.mark.keras


@pytest.mark.parametrize(
    ("aliases", "complaint"),
    [
        (("x0", "x1"), "input size does not match signature: 2!=1 "),
        (("y",), "Signature input alias: x"),
        (("x",), "inputs x: a request may be decoded to "),
    ],
)
def test_what_is_no_input_is_not_decoded(aliases: tuple[str, ...], complaint: str) -> None:
    proto = meta_graph_pb2.SignatureDef()
    proto.inputs["x"].dtype = types_pb2.DT_INT8
    servable = Servable("m", 1, None, {"one": Signature.of(proto)})
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "one"
    for alias in aliases:
        request.inputs[alias].dtype = types_pb2.DT_INT8
        request.inputs[alias].tensor_shape.dim.add().size = MAX_INPUT_BYTES + 1
    with pytest.raises(ServingError) as caught:
        predict_proto(servable, request)
    assert caught.value.message.startswith(complaint)
