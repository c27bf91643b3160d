"""The wire of the model server against TensorFlow Serving's own messages."""

import numpy as np
import pytest

from features.arrays import AnyArray
from online.model_client.predict_wire import decode_response, encode_request

pytestmark = pytest.mark.keras


def test_requests_are_what_tensorflow_servings_own_messages_read() -> None:
    """Our small descriptors against the real ones (the API itself never loads these)."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    inputs: dict[str, AnyArray] = {
        "userId": np.array([6, 7], np.int64),
        "user": np.array([[0.5, -1], [2, 3]], np.float32),
    }
    request = predict_pb2.PredictRequest.FromString(encode_request("widedeep", 3, inputs))
    assert (request.model_spec.name, request.model_spec.version.value) == ("widedeep", 3)
    for name, array in inputs.items():
        np.testing.assert_array_equal(tf.make_ndarray(request.inputs[name]), array)
    response = predict_pb2.PredictResponse()
    response.outputs["score"].CopyFrom(tf.make_tensor_proto([[0.25], [0.75]], tf.float32))
    assert decode_response(response.SerializeToString()).tolist() == [0.25, 0.75]
    with pytest.raises(ValueError, match="one output"):
        decode_response(predict_pb2.PredictResponse().SerializeToString())
