"""Inputs of a graph that several nets take."""

from typing import Any

import keras
import tensorflow as tf

from features.inputs.history import LENGTH


def history_inputs() -> dict[str, Any]:
    """history, history_marks int64 [n, L], history_gaps int64 [n, L + 1]: see `features.inputs.history`."""
    widths = {"history": LENGTH, "history_marks": LENGTH, "history_gaps": LENGTH + 1}
    return {name: keras.Input(shape=(width,), dtype="int64", name=name) for name, width in widths.items()}


class Distinct(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Histories [m, L], marks [m, L], gaps [m, L + 1] and candidates [n] → the distinct ones among the histories, k of each, and
    which of these each candidate has, int64 [n]. m is n, or 1 where one history is all candidates'.

    Rows of one request have the same history: what a net makes of it alone is made once, not once a candidate. A graph that is
    traced for one row (the ONNX file's, `models.training.onnx_file`) need not look which are distinct.
    """

    def __init__(self, name: str = "distinct") -> None:
        super().__init__(name=name, dtype="int64")

    def call(self, history: Any, marks: Any, gaps: Any, candidate: Any) -> Any:
        if history.shape[0] == 1:
            return history, marks, gaps, tf.zeros_like(candidate)
        rows = tf.concat([history, marks, gaps], axis=1)
        distinct, whose = tf.raw_ops.UniqueV2(x=rows, axis=[0], out_idx=tf.int64)
        return *tf.split(distinct, [LENGTH, LENGTH, LENGTH + 1], axis=1), whose

    def compute_output_shape(self, *_shapes: Any, **_named: Any) -> tuple[tuple[int | None, ...], ...]:
        return (None, LENGTH), (None, LENGTH), (None, LENGTH + 1), (None,)
