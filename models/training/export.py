"""Writing a trained model as TensorFlow Serving reads it (SavedModel, warm-up requests, manifest), and as the API may itself."""

import logging
import time
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from features.arrays import AnyArray
from features.errors import Broken
from features.inputs.input_maps import INPUTS_VERSION, OF_USER
from models.nets.parts.net import UNKNOWN_ID, Net
from models.registry import MANIFEST, DataSeen, Golden, Manifest, encode_manifest, folder_digests
from models.training.fitting.fit_rows import Fitted, input_specs, predictor
from models.training.fitting.warm_start import write_weights
from models.training.lessons.list_data import RankingLists
from models.training.lessons.row_data import Samples
from models.training.onnx_export import write_onnx
from models.training.runtime import code_revision
from models.training.towers import (
    SIGNATURE,
    as_towers,
    declared,
    user_inputs,
    user_specs,
    user_tower,
    write_item_vectors,
)

logger = logging.getLogger(__name__)

OUTPUT: Final = "score"
GOLDEN_ROWS: Final = 12
WARM_UP: Final = Path("assets.extra") / "tf_serving_warmup_requests"
WARM_UP_ROWS: Final = (1, 128)


def export_model(net: Net, model: Any, widths: dict[str, int], folder: Path) -> None:
    """Write the SavedModel into `folder`: serving_default takes exactly net.inputs and gives `score`, float32 [n, 1]. Inputs of
    OF_USER have n rows, or one for all: a request with 500 copies of a history would be five times as long. A net with towers
    also has the signature of the user's vector.

    Through keras.export, not tf.saved_model.save: a Keras 3 model saved by the latter loads, then fails in TF Serving.
    """
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serving_default",
        lambda inputs: {OUTPUT: model(_alike(inputs), training=False)},
        input_signature=[input_specs(net, widths)],
    )
    if net.towers:
        archive.add_endpoint(SIGNATURE, user_tower(net, model), input_signature=[user_specs(net, widths)])
    archive.write_out(str(folder), verbose=False)


def _alike(inputs: dict[str, Any]) -> dict[str, Any]:
    """All inputs with as many rows as those of the candidates."""
    rows = tf.shape(next(value for name, value in inputs.items() if name not in OF_USER))[:1]
    return {
        name: tf.broadcast_to(value, tf.concat([rows, tf.shape(value)[1:]], axis=0)) if name in OF_USER else value
        for name, value in inputs.items()
    }


def write_warm_up(net: Net, inputs: dict[str, AnyArray], folder: Path) -> None:
    """Write requests of 1 and 128 rows, taken from `inputs` (repeated where there are fewer), as TFRecords; and one of 1 row to
    the user's tower."""
    calls = [("serving_default", net.inputs, rows) for rows in WARM_UP_ROWS]
    if net.towers:
        calls.append((SIGNATURE, user_inputs(net), 1))
    path = folder / WARM_UP
    path.parent.mkdir(exist_ok=True)
    size = len(inputs[net.inputs[0]])
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, names, rows in calls:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = net.name
            request.model_spec.signature_name = signature
            for name in names:
                request.inputs[name].CopyFrom(tf.make_tensor_proto(inputs[name][np.arange(rows) % size]))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def golden_inputs(net: Net, inputs: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """A few rows spread over `inputs`; the last two have an unknown user, and an unknown user and item."""
    size = len(inputs[net.inputs[0]])
    rows = np.linspace(0, size - 1, GOLDEN_ROWS).astype(np.int64)
    out = {name: inputs[name][rows].copy() for name in net.inputs}
    for name, unknown in (("userId", slice(-2, None)), ("movieId", slice(-1, None))):
        if name in out:
            out[name][unknown] = UNKNOWN_ID
    return out


def golden_rows(net: Net, inputs: dict[str, AnyArray], scores: AnyArray) -> tuple[Golden, ...]:
    """Inputs and the scores expected of them as manifest rows."""
    return tuple(
        Golden({name: inputs[name][row].tolist() for name in net.inputs}, [float(score)])
        for row, score in enumerate(scores)
    )


def stage(
    net: Net, fitted: Fitted, samples: Samples | RankingLists, metrics: dict[str, float], data: DataSeen, folder: Path
) -> Manifest:
    """Write SavedModel, weights, warm-up requests, the ONNX graph and the manifest (version 0: not published yet) into `folder`.
    A net that can't be converted has no ONNX graph, which is logged: the model server alone ranks with it."""
    model = fitted.model
    rows_of = samples.validation.inputs
    validation = {name: rows_of[name] for name in net.inputs}
    export_model(net, model, samples.widths, folder)
    write_weights(model, fitted.context, folder)
    if net.towers:
        write_item_vectors(net, fitted, samples.widths, folder)
    write_warm_up(net, validation, folder)
    try:
        onnx = write_onnx(net, model, samples.widths, OUTPUT, folder)
    except Broken as error:
        logger.warning("ranks by the model server alone: %s", error)
        onnx = None
    rows = golden_inputs(net, validation)
    manifest = Manifest(
        name=net.name,
        version=0,
        inputs=declared(net.inputs, samples.widths),
        maps=samples.maps,
        inputs_version=INPUTS_VERSION,
        outputs=(OUTPUT,),
        golden=golden_rows(net, rows, predictor(net, model, samples.widths)(rows)),
        metrics=metrics,
        data=data,
        code_revision=code_revision(),
        created=time.time_ns() // 1_000_000,
        digests=folder_digests(folder),
        towers=as_towers(net, model, samples.widths),
        schema=samples.schema,
        onnx=onnx,
    )
    (folder / MANIFEST).write_bytes(encode_manifest(manifest))
    return manifest
