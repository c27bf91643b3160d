"""Wide & Deep: H.-T. Cheng et al., Wide & Deep Learning for Recommender Systems, DLRS 2016.

The wide part is linear in the cross columns (what this user and this item have in common) and in the columns of user
and item: it remembers. The deep part is a perceptron over id embeddings and the same columns: it generalises. Their
logits are added and trained together. The paper takes FTRL for the wide and AdaGrad for the deep part; here Adam trains
both, since the wide part has a hundred dense weights and no sparse ones.
"""

from typing import Any

import keras

from models.nets.parts.id_layers import IdIndex, dense, embedding
from models.nets.parts.net import Net, NetContext

FACTORS = 16
LAYERS = (64, 32)
COLUMNS = ("user", "item", "cross")


def build(context: NetContext) -> Any:
    """userId, movieId: int64 [n]; user, item, cross: float32 [n, width], normalised → probability, float32 [n, 1].

    Raises KeyError where the context has no width for one of the float inputs.
    """
    inputs = {name: keras.Input(shape=(), dtype="int64", name=name) for name in ("userId", "movieId")}
    inputs |= {name: keras.Input(shape=(context.widths[name],), dtype="float32", name=name) for name in COLUMNS}
    seed = context.seed
    user = IdIndex(context.user_ids, "user_index")(inputs["userId"])
    item = IdIndex(context.item_ids, "item_index")(inputs["movieId"])
    columns = [inputs[name] for name in COLUMNS]

    wide = dense(keras.layers.Concatenate(name="wide_columns")(columns), 1, "wide", seed + 1, activation=None)
    deep = keras.layers.Concatenate(name="deep_columns")(
        [
            embedding(user, len(context.user_ids), FACTORS, "user_embedding", seed + 2),
            embedding(item, len(context.item_ids), FACTORS, "item_embedding", seed + 3),
            *columns,
        ]
    )
    for depth, width in enumerate(LAYERS):
        deep = dense(deep, width, f"deep_{depth}", seed + 4 + depth)
    logit = keras.layers.Add(name="logit")([wide, dense(deep, 1, "deep", seed + 9, activation=None)])
    return keras.Model(inputs, keras.layers.Activation("sigmoid", name="score")(logit), name="widedeep")


NET = Net(
    "widedeep",
    ("userId", "movieId", "user", "item", "cross"),
    build,
    id_dropout={"userId": 0.3, "movieId": 0.02},
    learning_rate=4e-3,
)
