"""Fitting what all items' logits come to (`models.nets.parts.sequence.Bounds`), so that ranking need not compute them."""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from features.arrays import FloatArray, IntArray
from models.nets.parts.sequence import WIDTH
from models.training.fitting.fit_sequences import Indexed, indexed
from models.training.lessons.sequence_windows import WindowedHistories, Windows

WINDOWS: Final = 4_096
STATES: Final = 16_384
LOGITS: Final = 1 << 31
"""So many states, of so many windows at most, are compared with all items, or fewer where that makes more logits than these: of
a million items 2,147 states, which takes a quarter of a minute."""
BATCH: Final = 256
RATE: Final = 3e-3
AT_ONCE: Final = 1 << 24
"""Logits in memory at a time."""
_ENCODE: Final = 256


def fit_bounds(
    next_item: Any, windows: Windows | WindowedHistories, vocabulary: IntArray, seed: int, epochs: int
) -> None:
    """Train the bounds of a `NextItem` in place, by squared errors on states of its encoder as it is now. vocabulary: ids of the
    items that the encoder knows, ascending; epochs: passes over those states. Does nothing where windows hold no event that it
    knows. The same encoder, windows and seed give the same bounds."""
    rng = np.random.default_rng(seed)
    drawn = indexed(windows.drawn(rng), vocabulary)
    states = _states(next_item.encoder, drawn, rng.permutation(len(drawn))[:WINDOWS])
    if not len(states):
        return
    states = states[rng.permutation(len(states))[: min(STATES, LOGITS // len(vocabulary))]]
    targets = _exact(next_item.encoder, states)
    bounds = next_item.bounds
    bounds.out.bias.assign_add((targets - bounds(states)).numpy().mean(axis=0))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, epochs * -(-len(states) // BATCH)))
    variables = bounds.trainable_variables
    optimizer.build(variables)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(given: Any, wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(bounds(given) - wanted))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    for _ in range(epochs):
        order = rng.permutation(len(states))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            step(states[rows], targets[rows])


def _states(encoder: Any, data: Indexed, rows: IntArray) -> FloatArray:
    """[k, WIDTH] states of these windows at all positions that a known item follows."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def encode(items: Any, marks: Any, gaps: Any, following: Any) -> Any:
        return tf.boolean_mask(encoder(items, marks, gaps), following > 0)

    parts = (rows[low : low + _ENCODE] for low in range(0, len(rows), _ENCODE))
    states = [encode(*(each[part] for each in (data.items, data.marks, data.gaps, data.following))) for part in parts]
    return np.concatenate([np.zeros((0, WIDTH), np.float32), *states])


def _exact(encoder: Any, states: FloatArray) -> FloatArray:
    """[k, 3] of states [k, WIDTH]: what `Bounds` is to give."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def bounds_of(part: Any) -> Any:
        logits = encoder.logits(part)
        whole = tf.reduce_logsumexp(logits, axis=1)
        return tf.stack([whole, tf.reduce_max(logits, axis=1), tf.reduce_min(logits, axis=1)], axis=1)

    size = max(1, AT_ONCE // int(encoder.bias.shape[0]))
    return np.concatenate([bounds_of(states[low : low + size]).numpy() for low in range(0, len(states), size)])
