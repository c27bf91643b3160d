"""NeuralCF: X. He et al., Neural Collaborative Filtering, WWW 2017 (NeuMF, trained in one piece without pretraining).

Two towers over the ids alone: generalised matrix factorisation (the product of two embeddings, element by element) and
a perceptron over two other embeddings side by side; one sigmoid unit weighs both.
"""

from typing import Any

import keras

from models.nets.parts.id_layers import IdIndex, dense, embedding
from models.nets.parts.net import Net, NetContext

FACTORS = 16
LAYERS = (32, 16)


def build(context: NetContext) -> Any:
    """userId, movieId: int64 [n] → probability that the user likes the item, float32 [n, 1]."""
    user_id = keras.Input(shape=(), dtype="int64", name="userId")
    item_id = keras.Input(shape=(), dtype="int64", name="movieId")
    users, items, seed = len(context.user_ids), len(context.item_ids), context.seed
    user = IdIndex(context.user_ids, "user_index")(user_id)
    item = IdIndex(context.item_ids, "item_index")(item_id)

    gmf = keras.layers.Multiply(name="gmf")(
        [embedding(user, users, FACTORS, "gmf_user", seed + 1), embedding(item, items, FACTORS, "gmf_item", seed + 2)]
    )
    mlp = keras.layers.Concatenate(name="mlp")(
        [embedding(user, users, FACTORS, "mlp_user", seed + 3), embedding(item, items, FACTORS, "mlp_item", seed + 4)]
    )
    for depth, width in enumerate(LAYERS):
        mlp = dense(mlp, width, f"mlp_{depth}", seed + 5 + depth)
    both = keras.layers.Concatenate(name="neumf")([gmf, mlp])
    score = dense(both, 1, "score", seed + 9, activation="sigmoid")
    return keras.Model({"userId": user_id, "movieId": item_id}, score, name="neuralcf")


NET = Net("neuralcf", ("userId", "movieId"), build, id_dropout={"userId": 0.2, "movieId": 0.02}, learning_rate=2e-3)
