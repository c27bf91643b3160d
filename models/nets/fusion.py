"""Fusion: how likely each candidate comes next (a transformer over the newest events, as in SASRec), and recall's signals
for user and candidate together, weighed by how long the user has been silent and how much is known of them.

The sequence model learns from histories; the weighing learns from lists, by softmax over the candidates of each, on events
after those that the sequence model and the signals were made of. So what it weighs is as uncertain as it will be in life.
"""

from typing import Any, Final

import keras
import tensorflow as tf

from features.inputs.history import GAPS, LENGTH
from features.inputs.input_maps import HISTORY_INPUTS
from features.inputs.signals import SIGNAL_COLUMNS
from models.nets.parts.id_layers import IdIndex, Table
from models.nets.parts.inputs import Distinct, history_inputs
from models.nets.parts.net import LISTS, Net, NetContext
from models.nets.parts.score import Calibration
from models.nets.parts.sequence import NextItem, SequenceEncoder

HIDDEN: Final = 32
_SITUATION: Final = 8
_UNIT: Final = (5.0, 10.0)
_FLOOR: Final = (-1e9, -1.0)
"""By what each of the two scores is divided, and what it is at least then."""
WIDTH: Final = 2 + len(SIGNAL_COLUMNS)


class Weighing(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """next_scores [n, 2] of `NextItem`, signals [n, S], items [m, L] as indices into the vocabulary, gaps [m, L + 1],
    whose [n] of these each row has → [n, 1].

    A weighted sum of scores and signals, with weights that depend on the situation, and a small perceptron over both.
    """

    def __init__(self, seed: int, name: str = "weighing") -> None:
        super().__init__(name=name)
        init = keras.initializers.GlorotUniform
        self.silent = Table(GAPS, _SITUATION, embeddings_initializer="zeros", name="silent")
        self.known = Table(LENGTH + 1, _SITUATION, embeddings_initializer="zeros", name="known")
        self.weights_of = keras.layers.Dense(WIDTH, kernel_initializer=init(seed), name="weights")
        self.hidden = keras.layers.Dense(HIDDEN, activation="relu", kernel_initializer=init(seed + 1), name="hidden")
        self.out = keras.layers.Dense(1, use_bias=False, kernel_initializer=init(seed + 2), name="out")

    def call(self, next_scores: Any, signals: Any, items: Any, gaps: Any, whose: Any) -> Any:
        filled = tf.reduce_sum(tf.cast(items > 0, tf.int64), axis=1)
        situation = tf.concat([self.silent(gaps[:, -1]), self.known(filled)], axis=1)
        scaled = tf.maximum(next_scores / _UNIT, _FLOOR)
        evidence = tf.concat([scaled, signals], axis=1)
        summed = tf.reduce_sum(evidence * tf.gather(self.weights_of(situation), whose), axis=1, keepdims=True)
        return summed + self.out(self.hidden(tf.concat([evidence, tf.gather(situation, whose)], axis=1)))

    def compute_output_shape(self, *_shapes: Any, **_named: Any) -> tuple[None, int]:
        return (None, 1)


def build(context: NetContext) -> Any:
    """movieId int64 [n], history int64 [n, L], marks [n, L], gaps [n, L + 1], signals float32 [n, S] → probability that the
    candidate is what the user likes next, float32 [n, 1]."""
    inputs = history_inputs() | {
        "movieId": keras.Input(shape=(), dtype="int64", name="movieId"),
        "signals": keras.Input(shape=(len(SIGNAL_COLUMNS),), dtype="float32", name="signals"),
    }
    index = IdIndex(context.item_ids, "item_index")
    following = NextItem(SequenceEncoder(len(context.item_ids), context.seed), context.seed)
    history, marks, gaps, whose = Distinct()(*(inputs[name] for name in (*HISTORY_INPUTS, "movieId")))
    items = index(history)
    next_scores = following(items, marks, gaps, whose, index(inputs["movieId"]))
    logit = Weighing(context.seed)(next_scores, inputs["signals"], items, gaps, whose)
    return keras.Model(inputs, Calibration()(logit), name="fusion")


NET = Net(
    "fusion",
    ("movieId", "history", "history_marks", "history_gaps", "signals"),
    build,
    learning_rate=5e-3,
    batch_size=256,
    learns=LISTS,
)
"""batch_size: lists a step."""
