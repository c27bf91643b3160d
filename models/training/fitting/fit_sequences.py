"""Fitting a sequence encoder: the next item is predicted at every position of a window at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from features.arrays import AnyArray
from features.errors import Broken
from features.inputs.history import LENGTH
from models.nets.parts.net import Net
from models.training.fitting.checkpoint import NO_RESUME, Resume
from models.training.lessons.sequence_windows import WindowedHistories, Windows

ENCODER: Final = "encoder"
BATCH: Final = 64
RATE: Final = 2e-3
LATE_RATE: Final = 6e-4
"""Of Adam, in the last third of the epochs."""
FULL_SOFTMAX: Final = 5_000
SAMPLED: Final = 2_048
"""A larger vocabulary than FULL_SOFTMAX is compared with so many items, drawn evenly for each step (with what follows
elsewhere in the batch, which is drawn by popularity)."""

Progress = Callable[[int, int, float], None]
"""Called after each step with (epoch from 1, windows done in it, loss)."""


@dataclass(frozen=True)
class Indexed:
    """Windows with indices into a vocabulary instead of ids: an unknown item is 0, and weighs nothing as a next item."""

    items: AnyArray
    marks: AnyArray
    gaps: AnyArray
    following: AnyArray
    weights: AnyArray

    def __len__(self) -> int:
        return len(self.items)


def indexed(windows: Windows, vocabulary: AnyArray) -> Indexed:
    def positions(ids: AnyArray) -> AnyArray:
        at = np.minimum(np.searchsorted(vocabulary, ids), len(vocabulary) - 1)
        return np.where(vocabulary[at] == ids, at + 1, 0)

    following = positions(windows.following)
    weights = np.where(following > 0, windows.weights, np.float32(0))
    return Indexed(positions(windows.items), windows.marks, windows.gaps, following, weights)


def fit_encoder(
    net: Net,
    encoder: Any,
    windows: Windows | WindowedHistories,
    vocabulary: AnyArray,
    epochs: int,
    seed: int,
    progress: Progress,
    rate: float = RATE,
    resume: Resume = NO_RESUME,
    part: str = ENCODER,
) -> float:
    """Train the encoder in place for so many epochs, on windows drawn anew for each; the mean loss of the last one, NaN if none
    was left to train. vocabulary: ids of the items that the encoder knows, ascending; part: of the training, by which it is
    resumed. Raises Broken as soon as a loss is not finite."""
    encoder.build()
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(encoder.trainable_variables)
    size = int(encoder.bias.shape[0])

    def step(items: Any, marks: Any, gaps: Any, following: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            counts = weights > 0  # about half of the positions: the others are context
            states = tf.boolean_mask(encoder(items, marks, gaps, training=True), counts)
            answers, shares = tf.boolean_mask(following, counts), tf.boolean_mask(weights, counts)
            if size <= FULL_SOFTMAX:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(answers - 1, encoder.logits(states))
            else:
                losses = _sampled_losses(encoder, size, states, answers)
            loss = tf.reduce_sum(losses * shares) / tf.maximum(tf.reduce_sum(shares), 1e-6)
        optimizer.apply(tape.gradient(loss, encoder.trainable_variables), encoder.trainable_variables)
        return loss

    wide = tf.TensorSpec([None, LENGTH], tf.int64)
    signature = [
        wide,
        wide,
        tf.TensorSpec([None, LENGTH + 1], tf.int64),
        wide,
        tf.TensorSpec([None, LENGTH], tf.float32),
    ]
    compiled = tf.function(step, input_signature=signature)
    rng = np.random.default_rng(seed)
    mean = float("nan")
    state = [*encoder.variables, *optimizer.variables]
    for epoch in range(resume.restore(part, state, rng, None) + 1, epochs + 1):
        if epoch > epochs - epochs // 3:
            optimizer.learning_rate = min(rate, LATE_RATE)
        data = indexed(windows.drawn(rng), vocabulary)
        order, total, done = rng.permutation(len(data)), 0.0, 0
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            loss = float(compiled(*(getattr(data, name)[rows] for name in vars(data))))
            if not np.isfinite(loss):
                raise Broken(
                    f"training of {net.name} diverged: loss {loss} after {done} windows; nothing was published"
                )
            done += len(rows)
            total += loss * len(rows)
            progress(epoch, done, loss)
        mean = total / max(done, 1)
        resume.keep(part, epoch, state, rng, None)
    return mean


def _sampled_losses(encoder: Any, size: int, states: Any, following: Any) -> Any:
    """[k] cross entropy over what follows anywhere in the batch and some more items, each once."""
    drawn = tf.random.uniform([SAMPLED], 1, size + 1, tf.int64)
    choice, index = tf.unique(tf.concat([following, drawn], axis=0))
    logits = tf.matmul(states, tf.gather(encoder.items.embeddings, choice), transpose_b=True)
    logits += tf.gather(encoder.bias, choice - 1)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(index[: tf.size(following)], logits)
