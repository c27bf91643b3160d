"""PredictionService and ModelService over a real channel, through the public stubs."""

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from models.server.engine.tensors import MAX_INPUT_BYTES
from models.server.engine.worker_threads import INLINE_BYTES
from models.server.testing import ServerProcess

pytestmark = pytest.mark.keras

TIMEOUT = 10
ROWS = np.array([[1, 0], [0, 1]], dtype=np.float32)


@pytest.fixture(scope="module")
def channel(server: ServerProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.target) as opened:
        yield opened


@pytest.fixture(scope="module")
def prediction(channel: grpc.Channel) -> Any:
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def model_service(channel: grpc.Channel) -> Any:
    return model_service_pb2_grpc.ModelServiceStub(channel)


def shaped(model: str, signature: str, **shapes: list[int]) -> Any:
    """A PredictRequest of floats that are all the same: one value for each shape."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for alias, sizes in shapes.items():
        tensor = request.inputs[alias]
        tensor.dtype = tf.float32.as_datatype_enum
        tensor.float_val.append(1.0)
        for size in sizes:
            tensor.tensor_shape.dim.add().size = size
    return request


def failure(call: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=TIMEOUT)
    return caught.value.code(), caught.value.details()


def test_typed_fields_and_tensor_content_are_the_same(prediction: Any, library: Any) -> None:
    content = library.request("linear", "one", x=ROWS)
    typed = predict_pb2.PredictRequest()
    typed.CopyFrom(content)
    typed.inputs["x"].tensor_content = b""
    typed.inputs["x"].float_val.extend(ROWS.reshape(-1).tolist())
    assert content.inputs["x"].tensor_content
    answers = [prediction.Predict(request, timeout=TIMEOUT) for request in (content, typed)]
    assert answers[0] == answers[1]
    assert list(answers[0].outputs["score"].float_val) == [4.0, 5.0]


def test_an_answer_names_its_version_and_has_typed_fields(prediction: Any, library: Any) -> None:
    answer = prediction.Predict(library.request("linear", x=ROWS), timeout=TIMEOUT)
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("linear", 2, "serving_default")
    assert set(answer.outputs) == {"score", "half"}
    assert not any(tensor.tensor_content for tensor in answer.outputs.values())
    assert [dim.size for dim in answer.outputs["half"].tensor_shape.dim] == [2]


def test_a_version_by_number_or_label(prediction: Any, library: Any) -> None:
    by_number, by_label = library.request("linear", "one", x=ROWS), library.request("linear", "one", x=ROWS)
    by_number.model_spec.version.value = 1
    by_label.model_spec.version_label = "stable"
    for request in (by_number, by_label):
        answer = prediction.Predict(request, timeout=TIMEOUT)
        assert answer.model_spec.version.value == 1
        assert list(answer.outputs["score"].float_val) == [3.0, 4.0]


def test_a_short_typed_field_repeats_its_last_value(prediction: Any) -> None:
    answer = prediction.Predict(shaped("linear", "one", x=[3, 2]), timeout=TIMEOUT)
    assert list(answer.outputs["score"].float_val) == [7.0, 7.0, 7.0]


@pytest.mark.parametrize(
    ("signature", "dtype", "field"),
    [
        ("float32", np.float32, "float_val"),
        ("float64", np.float64, "double_val"),
        ("int8", np.int8, "int_val"),
        ("int32", np.int32, "int_val"),
        ("int64", np.int64, "int64_val"),
        ("uint8", np.uint8, "int_val"),
        ("uint64", np.uint64, "uint64_val"),
        ("bool", np.bool_, "bool_val"),
    ],
)
def test_every_kind_of_number(signature: str, dtype: Any, field: str, prediction: Any, library: Any) -> None:
    values = np.array([1, 0, 1], dtype=dtype)
    answer = prediction.Predict(library.request("kinds", signature, value=values), timeout=TIMEOUT).outputs["same"]
    assert list(getattr(answer, field)) == [1, 0, 1]
    assert answer.dtype == tf.dtypes.as_dtype(dtype).as_datatype_enum


def test_strings_typed_or_as_content(prediction: Any, library: Any) -> None:
    typed = library.request("kinds", "string", value=[b"\xff", b"", b"long" * 50])
    content = predict_pb2.PredictRequest()
    content.CopyFrom(typed)
    content.inputs["value"].ClearField("string_val")
    content.inputs["value"].tensor_content = b"\x01\x00\xc8\x01" + b"\xff" + b"" + b"long" * 50
    for request in (typed, content):
        answer = prediction.Predict(request, timeout=TIMEOUT)
        assert list(answer.outputs["same"].string_val) == [b"\xff", b"", b"long" * 50]


def test_a_large_request_is_answered_like_a_small_one(prediction: Any, library: Any) -> None:
    rows = np.tile(ROWS, (250_000, 1))
    assert rows.nbytes > INLINE_BYTES
    answer = prediction.Predict(library.request("linear", "one", x=rows), timeout=60)
    assert np.array_equal(answer.outputs["score"].float_val, np.tile([4.0, 5.0], 250_000))


def test_output_filter(prediction: Any, library: Any) -> None:
    request = library.request("linear", x=ROWS)
    request.output_filter.append("half")
    assert set(prediction.Predict(request, timeout=TIMEOUT).outputs) == {"half"}
    request.output_filter.append("half")
    assert failure(prediction.Predict, request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "duplicate output tensor alias: half",
    )
    request.output_filter[:] = ["nope"]
    code, text = failure(prediction.Predict, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith("output tensor alias not found in signature: nope ")


def test_what_is_wrong_with_a_predict_request(prediction: Any, library: Any) -> None:
    invalid, not_found = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    cases = [
        (predict_pb2.PredictRequest(), invalid, "Missing ModelSpec"),
        (library.request("", "one", x=ROWS), invalid, "ModelSpec has no name specified."),
        (library.request("nope", x=ROWS), not_found, "Servable not found for request: Latest(nope)"),
        (library.request("linear", x=ROWS, y=ROWS), invalid, "input size does not match signature: 2!=1 "),
        (library.request("linear", y=ROWS), invalid, "Signature input alias: x(feed name: x:0) not found in request"),
        (
            library.request("linear", x=ROWS.astype(np.int64)),
            invalid,
            "Expects arg[0] to be float but int64 is provided",
        ),
    ]
    request = library.request("linear", "nope", x=ROWS)
    cases.append((request, grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "nope" not found.'))
    request = library.request("linear", x=ROWS)
    request.inputs["x"].tensor_content = b"123"
    cases.append((request, invalid, "tensor parsing error: x"))
    request = library.request("linear", x=ROWS)
    request.inputs["x"].tensor_shape.dim[0].size = -1
    cases.append((request, invalid, "tensor parsing error: x"))
    for number in (0, 4711):  # no type, and none that there is
        request = library.request("linear", x=ROWS)
        request.inputs["x"].dtype = number
        cases.append((request, invalid, "tensor parsing error: x"))
    request = library.request("linear", x=1.0)
    request.inputs["x"].tensor_shape.dim.add().size = 10**12
    cases.append((request, grpc.StatusCode.RESOURCE_EXHAUSTED, "inputs x: a request may be decoded to "))
    for sizes in ([0, 2**62], [2**62, 2**62]):  # no array has such a shape
        request = shaped("kinds", "matrix", value=sizes)
        cases.append((request, invalid, "tensor parsing error: value"))
    huge = [MAX_INPUT_BYTES // 4]  # one of them may be sent, two may not; what is no input is not looked at
    request = shaped("linear", "one", x=huge, y=huge)
    cases.append((request, invalid, "input size does not match signature: 2!=1 "))
    request = shaped("kinds", "", dense=huge, item=huge, tag=[1])
    cases.append((request, grpc.StatusCode.RESOURCE_EXHAUSTED, "inputs dense, item, tag: a request may be decoded to "))
    for request, code, text in cases:
        got_code, got_text = failure(prediction.Predict, request)
        assert got_code is code
        assert got_text.startswith(text)


def test_a_long_message_is_cut(prediction: Any, library: Any) -> None:
    code, text = failure(prediction.Predict, library.request("é" * 3000, x=ROWS))
    assert code is grpc.StatusCode.NOT_FOUND
    assert text.startswith("Servable not found for request: Latest(éé")
    assert text.endswith("é...TRUNCATED")
    assert len(text.encode()) <= 1024 + len("...TRUNCATED")


def examples(request: Any, *rows: list[float]) -> Any:
    for row in rows:
        feature = request.input.example_list.examples.add().features.feature["f"]
        feature.float_list.value.extend(row)
    return request


def test_classify(prediction: Any) -> None:
    request = examples(classification_pb2.ClassificationRequest(), [1, 0], [0, 1])
    request.model_spec.name = "linear"
    request.model_spec.signature_name = "classify"
    answer = prediction.Classify(request, timeout=TIMEOUT)
    classes = [[(entry.label, entry.score) for entry in row.classes] for row in answer.result.classifications]
    assert classes == [[("up", 4.0), ("down", -4.0)], [("up", 5.0), ("down", -5.0)]]
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (2, "classify")


def test_regress(prediction: Any) -> None:
    request = examples(regression_pb2.RegressionRequest(), [1, 0])
    request.model_spec.name = "linear"
    request.model_spec.signature_name = "regress"
    answer = prediction.Regress(request, timeout=TIMEOUT)
    assert [regression.value for regression in answer.result.regressions] == [4.0]
    request.ClearField("input")
    assert failure(prediction.Regress, request) == (grpc.StatusCode.INVALID_ARGUMENT, "Input is empty.")


def test_a_context_before_many_examples_takes_no_more_than_a_request_may(prediction: Any) -> None:
    request = examples(regression_pb2.RegressionRequest())
    request.model_spec.name = "linear"
    request.model_spec.signature_name = "regress"
    listed = request.input.example_list_with_context
    listed.context.features.feature["f"].bytes_list.value.append(b"x" * 1_000_000)
    for _ in range(MAX_INPUT_BYTES // 1_000_000 + 1):
        listed.examples.add()
    code, text = failure(prediction.Regress, request)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert text.startswith("the examples, each with the context before it: a request may be decoded to ")


def test_multi_inference_is_one_answer_a_task(prediction: Any) -> None:
    request = examples(inference_pb2.MultiInferenceRequest(), [1, 0])
    for method in ("regress", "classify"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = "linear"
        task.model_spec.signature_name = method
    regression, classification = prediction.MultiInference(request, timeout=TIMEOUT).results
    assert regression.regression_result.regressions[0].value == 4.0
    assert classification.classification_result.classifications[0].classes[0].score == 4.0
    assert regression.model_spec.signature_name == "regress"
    request.tasks[1].CopyFrom(request.tasks[0])
    assert failure(prediction.MultiInference, request)[1] == "Duplicate evaluation of signature: regress"


def test_metadata(prediction: Any) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "linear"
    assert failure(prediction.GetModelMetadata, request)[0] is grpc.StatusCode.INVALID_ARGUMENT
    request.metadata_field.append("signature_def")
    answer = prediction.GetModelMetadata(request, timeout=TIMEOUT)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def["one"].outputs["score"].name == "score:0"
    assert answer.model_spec.version.value == 2


def test_status(model_service: Any) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "linear"
    answer = model_service.GetModelStatus(request, timeout=TIMEOUT)
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(entry.version, entry.state) for entry in answer.model_version_status] == [(2, available), (1, available)]
    request.model_spec.version.value = 7
    assert failure(model_service.GetModelStatus, request) == (
        grpc.StatusCode.NOT_FOUND,
        "Could not find version 7 of model linear",
    )


def test_a_request_that_is_no_message_counts_as_a_failure(channel: grpc.Channel, server: ServerProcess) -> None:
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    assert failure(call, b"\xff\xff\xff")[0] is grpc.StatusCode.INTERNAL
    page = httpx.get(f"{server.url}/monitoring/prometheus/metrics", timeout=TIMEOUT).text
    assert ':tensorflow:serving:request_count{model_name="",status="INTERNAL"}' in page
