"""Embedding and perceptron: P. Covington et al., Deep Neural Networks for YouTube Recommendations, RecSys 2016, in its plainest
form: embeddings of the ids joined with all columns, and fully connected layers over them."""

from typing import Any

import keras

from models.nets.parts.id_layers import IdIndex, dense, embedding
from models.nets.parts.net import Net, NetContext

FACTORS = 10
LAYERS = (128, 64)
COLUMNS = ("user", "item")


def build(context: NetContext) -> Any:
    """userId, movieId: int64 [n]; user, item: float32 [n, width], normalised → probability, float32 [n, 1]."""
    inputs = {name: keras.Input(shape=(), dtype="int64", name=name) for name in ("userId", "movieId")}
    inputs |= {name: keras.Input(shape=(context.widths[name],), dtype="float32", name=name) for name in COLUMNS}
    seed = context.seed
    user = IdIndex(context.user_ids, "user_index")(inputs["userId"])
    item = IdIndex(context.item_ids, "item_index")(inputs["movieId"])
    deep = keras.layers.Concatenate(name="columns")(
        [
            embedding(user, len(context.user_ids), FACTORS, "user_embedding", seed + 1),
            embedding(item, len(context.item_ids), FACTORS, "item_embedding", seed + 2),
            *(inputs[name] for name in COLUMNS),
        ]
    )
    for depth, width in enumerate(LAYERS):
        deep = dense(deep, width, f"deep_{depth}", seed + 3 + depth)
    return keras.Model(inputs, dense(deep, 1, "score", seed + 9, activation="sigmoid"), name="embeddingmlp")


NET = Net(
    "embeddingmlp",
    ("userId", "movieId", "user", "item"),
    build,
    id_dropout={"userId": 0.3, "movieId": 0.02},
    learning_rate=2e-3,
)
