"""DIN: G. Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018.

What a user's events weigh depends on the candidate: a small perceptron compares each with it, and their weighted sum (not
normalised, as in the paper) goes into another one, with the candidate and the user's columns.
"""

from typing import Any

import keras
import tensorflow as tf

from models.nets.parts.history import WIDTH, interests_of
from models.nets.parts.ids import dense
from models.nets.parts.net import LISTS, Net, NetContext
from models.nets.parts.score import Calibration

ATTENTION = (32, 16)
LAYERS = (64, 32)


class Attention(keras.layers.Layer):  # type: ignore[misc,unused-ignore]
    """events [m, L, WIDTH], there [m, L], whose [n], candidate [n, WIDTH] → each candidate's weighted sum, [n, WIDTH].

    The perceptron compares by the event, the candidate and their product. Its first layer has weights of their own for the
    three, so the event's part is made once for all candidates; the paper's difference of the two adds nothing to such a layer.
    """

    def __init__(self, seed: int, name: str = "attention") -> None:
        super().__init__(name=name)

        def layer(width: int, at: int, label: str, **settings: Any) -> Any:
            init = keras.initializers.GlorotUniform(seed=seed + at)
            return keras.layers.Dense(width, kernel_initializer=init, name=label, **settings)

        first, second = ATTENTION
        self.of_event = layer(first, 0, "of_event", use_bias=False)
        self.of_candidate = layer(first, 1, "of_candidate")
        self.of_both = layer(first, 2, "of_both", use_bias=False)
        self.hidden = layer(second, 3, "hidden", activation="relu")
        self.weight = layer(1, 4, "weight")

    def call(self, events: Any, there: Any, whose: Any, candidate: Any) -> Any:
        mine = tf.gather(events, whose)
        compared = tf.gather(self.of_event(events), whose) + self.of_both(mine * candidate[:, None])
        compared = tf.nn.relu(compared + self.of_candidate(candidate)[:, None])
        weights = self.weight(self.hidden(compared))[:, :, 0] * tf.gather(there, whose)
        return tf.einsum("nl,nlw->nw", weights, mine)

    def compute_output_shape(self, *_shapes: Any, **_named: Any) -> tuple[None, int]:
        return (None, WIDTH)


def build(context: NetContext) -> Any:
    """movieId int64 [n], history int64 [n, L], marks [n, L], gaps [n, L + 1], user float32 [n, U + 3G] → probability, [n, 1]."""
    begun, seed = interests_of(context), context.seed
    interest = Attention(seed + 10)(begun.events, begun.there, begun.whose, begun.candidate)
    deep = keras.layers.Concatenate(name="deep_columns")([interest, begun.candidate, begun.inputs["user"]])
    for place, width in enumerate(LAYERS):
        deep = dense(deep, width, f"deep_{place}", seed + 20 + place)
    return keras.Model(begun.inputs, Calibration()(dense(deep, 1, "logit", seed + 29, activation=None)), name="din")


NET = Net(
    "din",
    ("movieId", "history", "history_marks", "history_gaps", "user"),
    build,
    learning_rate=2e-3,
    batch_size=64,
    learns=LISTS,
)
