"""Warm-up: requests that ship with a model and run before any other: they fill caches, and they are a test.

``assets.extra/tf_serving_warmup_requests`` in the version's folder, a TFRecord file of PredictionLog. A version whose
own requests fail does not load.
"""

from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from models.server.engine import inference
from models.server.engine.servable import Servable
from models.server.errors import Code, ServingError, from_tensorflow, invalid

REQUESTS_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000


def warm_up(servable: Servable, path: Path) -> int:
    """Send every request recorded in the version folder ``path`` through ``servable``; how many there were.

    No file is no requests. Raises ServingError for the first one that fails, for a file that is damaged, and when there
    are more than 1,000.
    """
    file = path / REQUESTS_FILE
    if not file.is_file():
        return 0
    count = 0
    try:
        for record in tf.compat.v1.io.tf_record_iterator(str(file)):
            count += 1
            if count > MAX_RECORDS:
                raise invalid(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}")
            _send(servable, _parse(record, count, file))
    except tf.errors.DataLossError as error:
        raise ServingError(
            Code.DATA_LOSS, f"{error.message}. Please verify your warmup data is in TFRecord format."
        ) from None
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from None
    return count


def _parse(record: bytes, number: int, file: Path) -> Any:
    try:
        return prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError:
        raise invalid(f"Failed to parse warmup record: number {number} from {file}") from None


def _send(servable: Servable, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        inference.predict_proto(servable, log.predict_log.request)
    elif kind == "classify_log":
        inference.classify_proto(servable, log.classify_log.request)
    elif kind == "regress_log":
        inference.regress_proto(servable, log.regress_log.request)
    elif kind == "multi_inference_log":
        inference.multi_inference_proto(servable, log.multi_inference_log.request)
    elif kind is not None:
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
