"""Inference on a loaded version: predict, classify, regress, several at once.

Both protocols and the warm-up come through here, so they can't differ. Shapes of the signature are not enforced on what
is fed; element types are.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any

import numpy as np
from tensorflow_serving.apis import classification_pb2, inference_pb2, predict_pb2, regression_pb2

from features.arrays import AnyArray
from models.server.engine.servable import DEFAULT_SIGNATURE, Servable, Signature
from models.server.engine.tensors import STRING_BYTES, check_decoded, dtype_of_array, fill_proto, from_protos
from models.server.errors import Code, ServingError, invalid

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"


def predict(
    servable: Servable, signature: Signature, inputs: Mapping[str, AnyArray], output_filter: Sequence[str] = ()
) -> dict[str, AnyArray]:
    """Outputs by alias, all of the signature's or those in ``output_filter``.

    Raises INVALID_ARGUMENT when the aliases of inputs or filter are not the signature's.
    """
    _check_inputs(inputs.keys(), signature)
    given = {**signature.defaults, **inputs}
    feeds = [(spec.name, given[alias]) for alias, spec in signature.inputs.items()]
    aliases = _aliases(output_filter, signature)
    values = servable.run(feeds, [signature.outputs[alias].name for alias in aliases])
    return dict(zip(aliases, values, strict=True))


def _check_inputs(inputs: Set[str], signature: Signature) -> None:
    """Raise INVALID_ARGUMENT if aliases of inputs are not the signature's."""
    if len(inputs) > len(signature.inputs) or (len(inputs) < len(signature.inputs) and not signature.defaults):
        raise _wrong_inputs(inputs, signature)
    for alias, spec in signature.inputs.items():
        if alias not in inputs and alias not in signature.defaults:
            raise invalid(
                f"Signature input alias: {alias}(feed name: {spec.name}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {{{','.join(sorted(inputs))}}}, "
                f"or default input alias set: {','.join(signature.defaults)}"
            )
    if unknown := inputs - signature.inputs.keys():
        used = ",".join(sorted(inputs - unknown))
        raise invalid(
            f"Inputs contains invalid name. Used request inputs: {used}, request input: {','.join(sorted(inputs))}"
        )


def _wrong_inputs(inputs: Collection[str], signature: Signature) -> ServingError:
    sent, wanted = sorted(inputs), sorted(signature.inputs)
    return invalid(
        f"input size does not match signature: {len(sent)}!={len(wanted)} len({{{','.join(sent)}}}) != "
        f"len({{{','.join(wanted)}}}). Sent extra: {{{','.join(a for a in sent if a not in signature.inputs)}}}. "
        f"Missing but required: {{{','.join(a for a in wanted if a not in inputs)}}}."
    )


def _aliases(output_filter: Sequence[str], signature: Signature) -> Sequence[str]:
    if not output_filter:
        return list(signature.outputs)
    seen: set[str] = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{','.join(signature.outputs)}}}."
            )
        if alias in seen:
            raise invalid(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return output_filter


def predict_proto(servable: Servable, request: Any) -> Any:
    """PredictRequest to PredictResponse. An unknown signature is FAILED_PRECONDITION here, over gRPC."""
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    _check_inputs(set(request.inputs), signature)
    inputs = from_protos(request.inputs)
    response = predict_pb2.PredictResponse()
    for alias, array in predict(servable, signature, inputs, request.output_filter).items():
        fill_proto(array, response.outputs[alias])
    _fill_spec(response.model_spec, servable, name)
    return response


def classify_proto(servable: Servable, request: Any) -> Any:
    """ClassificationRequest to ClassificationResponse."""
    name, signature = _signature(servable, request.model_spec)
    feed, fetches = _classification(signature)
    examples = _examples(request.input)
    values = dict(zip(fetches, servable.run([(feed, examples)], fetches), strict=True))
    response = classification_pb2.ClassificationResponse()
    _fill_classes(response.result, signature, values, examples.size)
    _fill_spec(response.model_spec, servable, name)
    return response


def regress_proto(servable: Servable, request: Any) -> Any:
    """RegressionRequest to RegressionResponse."""
    name, signature = _signature(servable, request.model_spec)
    feed, fetch = _regression(signature)
    examples = _examples(request.input)
    [values] = servable.run([(feed, examples)], [fetch])
    response = regression_pb2.RegressionResponse()
    _fill_regressions(response.result, values, examples.size)
    _fill_spec(response.model_spec, servable, name)
    return response


def multi_inference_proto(servable: Servable, request: Any) -> Any:
    """MultiInferenceRequest to MultiInferenceResponse: many signatures of one model, one run of the graph."""
    tasks: list[tuple[str, Signature, bool]] = []
    feeds: dict[str, None] = {}
    fetches: dict[str, None] = {}
    for task in request.tasks:
        name, signature = _task_signature(servable, task, request.tasks[0], [name for name, _, _ in tasks])
        if task.method_name == CLASSIFY_METHOD:
            feed, outputs = _classification(signature)
        elif task.method_name == REGRESS_METHOD:
            feed, output = _regression(signature)
            outputs = [output]
        else:
            raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}")
        feeds[feed] = None
        fetches.update(dict.fromkeys(outputs))
        tasks.append((name, signature, task.method_name == CLASSIFY_METHOD))
    examples = _examples(request.input)
    values = dict(zip(fetches, servable.run([(feed, examples) for feed in sorted(feeds)], list(fetches)), strict=True))
    response = inference_pb2.MultiInferenceResponse()
    for name, signature, is_classification in tasks:
        result = response.results.add()
        if is_classification:
            _fill_classes(result.classification_result, signature, values, examples.size)
        else:
            _fill_regressions(result.regression_result, values[_regression(signature)[1]], examples.size)
        _fill_spec(result.model_spec, servable, name)
    return response


def _task_signature(servable: Servable, task: Any, first: Any, seen: Sequence[str]) -> tuple[str, Signature]:
    if not task.model_spec.name:
        raise invalid("Found ModelSpec with an empty model name.")
    if task.model_spec.name != first.model_spec.name:
        raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    name = task.model_spec.signature_name or DEFAULT_SIGNATURE
    if name in seen:
        raise invalid(f"Duplicate evaluation of signature: {name}")
    if name not in servable.signatures:
        raise invalid(f"Requested signature not found in model graph: {name}")
    return name, servable.signatures[name]


def _signature(servable: Servable, spec: Any) -> tuple[str, Signature]:
    name = spec.signature_name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise invalid(f"No signature was found with the name: {name}")
    return name, servable.signatures[name]


def _classification(signature: Signature) -> tuple[str, list[str]]:
    """The tensor to feed and the one or two to fetch (classes, scores)."""
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        raise invalid(f"No classification inputs found in SignatureDef: {signature.proto}")
    fetches = [signature.outputs[alias].name for alias in ("classes", "scores") if alias in signature.outputs]
    if not fetches:
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature.proto}"
        )
    return signature.inputs["inputs"].name, fetches


def _regression(signature: Signature) -> tuple[str, str]:
    """The tensor to feed and the one to fetch."""
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if "inputs" not in signature.inputs:
        raise invalid(f"No regression inputs found in SignatureDef: {signature.proto}")
    if "outputs" not in signature.outputs:
        raise invalid(f"No regression outputs found in SignatureDef: {signature.proto}")
    return signature.inputs["inputs"].name, signature.outputs["outputs"].name


def examples_bytes(request_input: Any) -> int:
    """The bytes of an ``Input`` as strings, beside the examples as they came: of the strings, and of the context before each."""
    examples, context = _parts(request_input)
    return len(examples) * (STRING_BYTES + len(context))


def _examples(request_input: Any) -> AnyArray:
    """Serialised tf.Examples, shape [n]; a context is put before each, so that the example's own features win.

    Raises RESOURCE_EXHAUSTED, with none made, if they take more than a request may.
    """
    check_decoded(examples_bytes(request_input), "the examples, each with the context before it")
    examples, context = _parts(request_input)
    if not examples:
        raise invalid("Input is empty.")
    serialised = np.empty(len(examples), dtype=object)
    serialised[:] = [context + example.SerializeToString() for example in examples]
    return serialised


def _parts(request_input: Any) -> tuple[Any, bytes]:
    """The examples of an ``Input``, and the serialised context that goes before each."""
    if request_input.WhichOneof("kind") != "example_list_with_context":
        return request_input.example_list.examples, b""
    both = request_input.example_list_with_context
    return both.examples, both.context.SerializeToString()


def _fill_classes(result: Any, signature: Signature, values: Mapping[str, AnyArray], count: int) -> None:
    classes, scores = (
        values[signature.outputs[alias].name] if alias in signature.outputs else None for alias in ("classes", "scores")
    )
    for alias, array, wanted in (("classes", classes, "string"), ("scores", scores, "float")):
        if array is None:
            continue
        if array.ndim != 2:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape_text(array)}")
        if (got := dtype_of_array(array).name) != wanted:
            raise invalid(f"Expected {alias} Tensor of DT_{wanted.upper()}. Got: DT_{got.upper()}")
        if array.shape[0] != count:
            raise invalid(f"Expected {alias} output batch size of {count}. Got: {array.shape[0]}")
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    labels = classes.tolist() if classes is not None else None
    numbers = scores.tolist() if scores is not None else None
    for row in range(count):
        entries = result.classifications.add().classes
        for column in range(len((labels or numbers or [])[row])):
            entry = entries.add()
            if labels is not None:
                entry.label = labels[row][column].decode("utf-8", "replace")
            if numbers is not None:
                entry.score = numbers[row][column]


def _fill_regressions(result: Any, values: AnyArray, count: int) -> None:
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
        raise invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape_text(values)}"
        )
    if values.shape[0] != count:
        raise invalid(f"Input batch size did not match output batch size: {count} vs. {values.shape[0]}")
    if (got := dtype_of_array(values).name) != "float":
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: DT_{got.upper()}")
    for value in values.reshape(-1).tolist():
        result.regressions.add().value = value


def _shape_text(array: AnyArray) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _fill_spec(spec: Any, servable: Servable, signature_name: str) -> None:
    spec.name = servable.name
    spec.signature_name = signature_name
    spec.version.value = servable.version
