"""DIEN: G. Zhou et al., Deep Interest Evolution Network for Click-Through Rate Prediction, AAAI 2019.

A first recurrent layer reads the events; a second one goes on over its states, each step's update scaled by how much the
candidate cares for that state (AUGRU). The paper's auxiliary loss on the next click is left out: lists teach what comes next.
"""

from typing import Any

import keras
import tensorflow as tf

from features.inputs.history import LENGTH
from models.nets.parts.history_vectors import WIDTH, interests_of
from models.nets.parts.id_layers import dense
from models.nets.parts.net import LISTS, Net, NetContext
from models.nets.parts.score import Calibration

LAYERS = (64, 32)


class Evolution(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """states [m, L, WIDTH], present [m, L], whose [n], candidate [n, WIDTH] → the last state of the AUGRU, [n, WIDTH]. A position
    that is not present does not change the state."""

    def __init__(self, seed: int, name: str = "evolution") -> None:
        super().__init__(name=name)
        init = keras.initializers.GlorotUniform
        self.care = keras.layers.Dense(WIDTH, use_bias=False, kernel_initializer=init(seed), name="care")
        self.gates = keras.layers.Dense(2 * WIDTH, kernel_initializer=init(seed + 1), name="gates")
        self.thought = keras.layers.Dense(WIDTH, activation="tanh", kernel_initializer=init(seed + 2), name="thought")

    def call(self, states: Any, present: Any, whose: Any, candidate: Any) -> Any:
        caring = tf.einsum("nlw,nw->nl", tf.gather(self.care(states), whose), candidate) / WIDTH**0.5
        states, present = tf.gather(states, whose), tf.gather(present, whose)
        attention = tf.nn.softmax(caring + (present - 1) * 1e9, axis=1) * present
        state = tf.zeros_like(candidate)
        for position in range(LENGTH):
            event = states[:, position]
            update, reset = tf.split(tf.sigmoid(self.gates(tf.concat([event, state], axis=1))), 2, axis=1)
            update *= attention[:, position, None]
            state = (1 - update) * state + update * self.thought(tf.concat([event, reset * state], axis=1))
        return state

    def compute_output_shape(self, *_shapes: Any, **_named: Any) -> tuple[int | None, ...]:
        return (None, WIDTH)


def build(context: NetContext) -> Any:
    """movieId int64 [n], history int64 [n, L], marks [n, L], gaps [n, L + 1], user float32 [n, U + 3(G + 1)] → probability,
    [n, 1]."""
    begun, seed = interests_of(context), context.seed
    states = keras.layers.GRU(WIDTH, return_sequences=True, unroll=True, seed=seed, name="extraction")(begun.events)
    candidate = begun.candidate
    interest = Evolution(seed + 10)(states, begun.present, begun.whose, candidate)
    both = keras.layers.Multiply(name="both")([interest, candidate])
    deep = keras.layers.Concatenate(name="deep_columns")([interest, candidate, both, begun.inputs["user"]])
    for depth, width in enumerate(LAYERS):
        deep = dense(deep, width, f"deep_{depth}", seed + 20 + depth)
    return keras.Model(begun.inputs, Calibration()(dense(deep, 1, "logit", seed + 29, activation=None)), name="dien")


NET = Net(
    "dien",
    ("movieId", "history", "history_marks", "history_gaps", "user"),
    build,
    learning_rate=2e-3,
    batch_size=64,
    learns=LISTS,
)
