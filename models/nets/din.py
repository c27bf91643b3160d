"""DIN: G. Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018.

What a user's events weigh depends on the candidate: a small perceptron compares each with it, and their weighted sum (not
normalised, as in the paper) goes into another one, with the candidate and the user's columns.
"""

from typing import Any

import keras
import tensorflow as tf

from models.nets.parts.history_vectors import WIDTH, interests_of
from models.nets.parts.id_layers import dense
from models.nets.parts.net import LISTS, Net, NetContext
from models.nets.parts.score import Calibration

ATTENTION = (32, 16)
LAYERS = (64, 32)


class Attention(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """events [m, L, WIDTH], present [m, L], whose [n], candidate [n, WIDTH] → each candidate's weighted sum, [n, WIDTH].

    The perceptron compares by the event, the candidate, their difference and their product. Its first layer is a sum of a part
    of each, so the parts of the event alone and of the candidate alone are computed once for each, not once for each pair.
    """

    def __init__(self, seed: int, name: str = "attention") -> None:
        super().__init__(name=name)
        first, second = ATTENTION
        init = keras.initializers.GlorotUniform
        self.compares = self.add_weight(name="compares", shape=(4 * WIDTH, first), initializer=init(seed))
        self.bias = self.add_weight(name="bias", shape=(first,), initializer="zeros")
        self.hidden = keras.layers.Dense(second, activation="relu", kernel_initializer=init(seed + 1), name="hidden")
        self.weight = keras.layers.Dense(1, kernel_initializer=init(seed + 4), name="weight")

    def call(self, events: Any, present: Any, whose: Any, candidate: Any) -> Any:
        event, same, apart, both = tf.split(self.compares, 4)
        mine = tf.gather(events, whose)
        of_event = tf.gather(tf.tensordot(events, event + apart, 1), whose)
        of_candidate = tf.matmul(candidate, same - apart) + self.bias
        of_both = tf.tensordot(mine * candidate[:, None], both, 1)
        compared = tf.nn.relu(of_event + of_candidate[:, None] + of_both)
        weights = self.weight(self.hidden(compared))[:, :, 0] * tf.gather(present, whose)
        return tf.einsum("nl,nlw->nw", weights, mine)

    def compute_output_shape(self, *_shapes: Any, **_named: Any) -> tuple[None, int]:
        return (None, WIDTH)


def build(context: NetContext) -> Any:
    """movieId int64 [n], history int64 [n, L], marks [n, L], gaps [n, L + 1], user float32 [n, U + 3(G + 1)] → probability,
    [n, 1]."""
    begun, seed = interests_of(context), context.seed
    interest = Attention(seed + 10)(begun.events, begun.present, begun.whose, begun.candidate)
    deep = keras.layers.Concatenate(name="deep_columns")([interest, begun.candidate, begun.inputs["user"]])
    for depth, width in enumerate(LAYERS):
        deep = dense(deep, width, f"deep_{depth}", seed + 20 + depth)
    return keras.Model(begun.inputs, Calibration()(dense(deep, 1, "logit", seed + 29, activation=None)), name="din")


NET = Net(
    "din",
    ("movieId", "history", "history_marks", "history_gaps", "user"),
    build,
    learning_rate=2e-3,
    batch_size=64,
    learns=LISTS,
)
