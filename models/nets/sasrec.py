"""SASRec: a transformer over the newest events predicts the next item (`models.nets.parts.sequence`)."""

from math import log
from typing import Any

import keras

from features.inputs.input_maps import HISTORY_INPUTS
from models.nets.parts.id_layers import IdIndex
from models.nets.parts.inputs import Distinct, history_inputs
from models.nets.parts.net import SEQUENCES, Net, NetContext
from models.nets.parts.sequence import NextItem, SequenceEncoder


def build(context: NetContext) -> Any:
    """movieId int64 [n], history int64 [n, L], marks [n, L], gaps [n, L + 1] → float32 [n, 1]: p / (p + 1 / items), where p is
    the item's share among all: 0.5 for what is as likely as any."""
    inputs = history_inputs() | {"movieId": keras.Input(shape=(), dtype="int64", name="movieId")}
    history, marks, gaps, whose = Distinct()(*(inputs[name] for name in (*HISTORY_INPUTS, "movieId")))
    index = IdIndex(context.item_ids, "item_index")
    following = NextItem(SequenceEncoder(len(context.item_ids), context.seed), context.seed)
    next_scores = following(index(history), marks, gaps, whose, index(inputs["movieId"]))
    odds = log(len(context.item_ids))
    score = keras.layers.Lambda(lambda values: keras.ops.sigmoid(values[:, :1] + odds), name="score")(next_scores)
    return keras.Model(inputs, score, name="sasrec")


NET = Net("sasrec", ("movieId", "history", "history_marks", "history_gaps"), build, learns=SEQUENCES)
