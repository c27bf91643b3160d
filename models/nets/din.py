"""DIN: G. Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018.

What a user's events weigh depends on the candidate: a small perceptron compares each with it, and their weighted sum (not
normalised, as in the paper) goes into another one, with the candidate and the user's columns.
"""

from typing import Any

import keras

from models.nets.parts.history import WIDTH, interests_of
from models.nets.parts.ids import dense
from models.nets.parts.net import LISTS, Net, NetContext
from models.nets.parts.score import Calibration

ATTENTION = (32, 16)
LAYERS = (64, 32)


def build(context: NetContext) -> Any:
    """movieId int64 [n], history int64 [n, L], marks [n, L], gaps [n, L + 1], user float32 [n, U + 3G] → probability, [n, 1]."""
    inputs, events, there, candidate = interests_of(context)
    seed = context.seed
    length = events.shape[1]
    same = keras.layers.RepeatVector(length, name="candidate_each")(candidate)
    compared = keras.layers.Concatenate(name="compared")(
        [
            events,
            same,
            keras.layers.Subtract(name="apart")([events, same]),
            keras.layers.Multiply(name="both")([events, same]),
        ]
    )
    for place, width in enumerate(ATTENTION):
        compared = dense(compared, width, f"attention_{place}", seed + 10 + place)
    weights = keras.layers.Reshape((length,), name="weights")(
        dense(compared, 1, "attention", seed + 14, activation=None)
    )
    weights = keras.layers.Multiply(name="weights_there")([weights, there])
    interest = keras.layers.Reshape((WIDTH,), name="interest")(keras.layers.Dot(1, name="weighted")([weights, events]))
    deep = keras.layers.Concatenate(name="deep_columns")([interest, candidate, inputs["user"]])
    for place, width in enumerate(LAYERS):
        deep = dense(deep, width, f"deep_{place}", seed + 20 + place)
    return keras.Model(inputs, Calibration()(dense(deep, 1, "logit", seed + 29, activation=None)), name="din")


NET = Net(
    "din",
    ("movieId", "history", "history_marks", "history_gaps", "user"),
    build,
    learning_rate=2e-3,
    batch_size=64,
    learns=LISTS,
)
