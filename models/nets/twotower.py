"""Two towers: P. Covington et al., Deep Neural Networks for YouTube Recommendations, RecSys 2016; X. Yi et al., Sampling-Bias-
Corrected Neural Modeling for Large Corpus Item Recommendations, RecSys 2019.

One tower makes a vector of the user's events and columns, the other one of the item; the score is their cosine, sharpened. The
towers are layers of their own, so that a version has a signature for the user's vector and brings the items' for recall.
"""

from typing import Any

import keras

from models.nets.parts.history_vectors import WIDTH, interests_of
from models.nets.parts.id_layers import dense
from models.nets.parts.net import LISTS, Net, NetContext
from models.nets.parts.score import Calibration

LAYERS = (64,)
SHARPNESS = 12.0


def build(context: NetContext) -> Any:
    """movieId int64 [n], history int64 [n, L], marks [n, L], gaps [n, L + 1], user float32 [n, U + 3(G + 1)] → probability,
    [n, 1]."""
    begun, seed = interests_of(context), context.seed
    events, present = begun.events, begun.present
    # Newer events weigh more: a weight for each position, learned.
    length = events.shape[1]
    position_weights = keras.layers.Dense(
        length, activation="softplus", kernel_initializer="zeros", name="place_weights"
    )(present)
    weights = keras.layers.Multiply(name="weights")([position_weights, present])
    liked = keras.layers.Reshape((WIDTH,), name="liked")(keras.layers.Dot(1, name="pooled")([weights, events]))
    user = keras.layers.Concatenate(name="user_columns")([keras.ops.take(liked, begun.whose, 0), begun.inputs["user"]])
    item = begun.candidate
    for depth, width in enumerate(LAYERS):
        user = dense(user, width, f"user_{depth}", seed + 10 + depth)
        item = dense(item, width, f"item_{depth}", seed + 20 + depth)
    user = keras.layers.UnitNormalization(name="user_vector")(
        dense(user, WIDTH, "user_out", seed + 19, activation=None)
    )
    item = keras.layers.UnitNormalization(name="item_vector")(
        dense(item, WIDTH, "item_out", seed + 29, activation=None)
    )
    logit = keras.layers.Rescaling(SHARPNESS, name="logit")(keras.layers.Dot(1, name="cosine")([user, item]))
    return keras.Model(begun.inputs, Calibration()(logit), name="twotower")


NET = Net(
    "twotower",
    ("movieId", "history", "history_marks", "history_gaps", "user"),
    build,
    learning_rate=3e-3,
    batch_size=64,
    learns=LISTS,
    towers=("user_vector", "item_vector"),
)
