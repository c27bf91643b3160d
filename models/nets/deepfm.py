"""DeepFM: H. Guo et al., DeepFM: A Factorization-Machine based Neural Network for CTR Prediction, IJCAI 2017.

Every field has a vector: the ids an embedding, each group of columns a projection. A factorisation machine takes their first
order and all products of two; a perceptron takes the same vectors side by side; the logits are added.
"""

from typing import Any

import keras

from models.nets.parts.id_layers import IdIndex, dense, embedding
from models.nets.parts.net import Net, NetContext

FACTORS = 16
LAYERS = (64, 32)
COLUMNS = ("user", "item", "cross")


def build(context: NetContext) -> Any:
    """userId, movieId: int64 [n]; user, item, cross: float32 [n, width], normalised → probability, float32 [n, 1]."""
    inputs = {name: keras.Input(shape=(), dtype="int64", name=name) for name in ("userId", "movieId")}
    inputs |= {name: keras.Input(shape=(context.widths[name],), dtype="float32", name=name) for name in COLUMNS}
    seed = context.seed
    user = IdIndex(context.user_ids, "user_index")(inputs["userId"])
    item = IdIndex(context.item_ids, "item_index")(inputs["movieId"])
    users, items = len(context.user_ids), len(context.item_ids)
    first = [
        embedding(user, users, 1, "user_first", seed + 1),
        embedding(item, items, 1, "item_first", seed + 2),
        dense(
            keras.layers.Concatenate(name="columns")([inputs[n] for n in COLUMNS]),
            1,
            "first",
            seed + 3,
            activation=None,
        ),
    ]
    fields = [
        embedding(user, users, FACTORS, "user_id_field", seed + 4),
        embedding(item, items, FACTORS, "item_id_field", seed + 5),
        *(dense(inputs[n], FACTORS, f"{n}_field", seed + 6 + at, activation=None) for at, n in enumerate(COLUMNS)),
    ]
    # Σ of all products of two is half of (Σ)² − Σ of squares.
    summed = keras.layers.Add(name="sum")(fields)
    squares = keras.layers.Add(name="squares")([keras.layers.Multiply()([field, field]) for field in fields])
    twice = keras.layers.Subtract(name="twice_second")(
        [keras.layers.Multiply(name="square")([summed, summed]), squares]
    )
    second = keras.layers.Rescaling(FACTORS / 2, name="second")(
        keras.layers.GlobalAveragePooling1D(name="mean")(keras.layers.Reshape((FACTORS, 1), name="by_factor")(twice))
    )
    deep = keras.layers.Concatenate(name="fields")(fields)
    for depth, width in enumerate(LAYERS):
        deep = dense(deep, width, f"deep_{depth}", seed + 10 + depth)
    logit = keras.layers.Add(name="logit")([*first, second, dense(deep, 1, "deep", seed + 19, activation=None)])
    return keras.Model(inputs, keras.layers.Activation("sigmoid", name="score")(logit), name="deepfm")


NET = Net(
    "deepfm",
    ("userId", "movieId", "user", "item", "cross"),
    build,
    id_dropout={"userId": 0.3, "movieId": 0.02},
    learning_rate=2e-3,
)
