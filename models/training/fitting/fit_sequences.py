"""Fitting a sequence encoder: the next item is predicted at every position of a window at once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log1p
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from features.arrays import AnyArray, FloatArray
from features.errors import Broken
from features.inputs.history import LENGTH
from models.nets.parts.net import Net
from models.training.fitting.checkpoint import NO_RESUME, Resume
from models.training.lessons.sequence_windows import NOT_POSITIVE, TAUGHT, WindowedHistories, Windows

ENCODER: Final = "encoder"
FULL_SOFTMAX: Final = 6_000
SAMPLED: Final = 4_096
"""A larger vocabulary than FULL_SOFTMAX is not compared with as a whole, but with what follows anywhere in the batch, which is
drawn by popularity, and with so many items more, drawn evenly for each step."""
EVENTS: Final = 6_000_000
MIN_PASSES: Final = 3
"""Of a long history so many passes are enough as bring about EVENTS, but never fewer than MIN_PASSES."""

Progress = Callable[[int, int, float], None]
"""Called after each step with (epoch from 1, windows done in it, loss)."""


@dataclass(frozen=True)
class SequenceTraining:
    """The constants that an encoder is trained by. `./martlet evaluate --training-constant` compares values of each.

    smoothing     share of what a next item teaches that goes to all items alike (label smoothing: C. Szegedy and others,
                  Rethinking the Inception Architecture for Computer Vision, CVPR 2016): a transformer of so few histories is too
                  sure of what it has seen
    hidden        share of the items of a history that the encoder does not see, others in each pass (item masking: X. Xie and
                  others, Contrastive Learning for Sequential Recommendation, ICDE 2022)
    not_positive  weight of a next event that is not positive
    batch         windows a step
    rate          of Adam
    late_rate     of Adam, in the last third of the epochs
    """

    smoothing: float = 0.4
    hidden: float = 0.2
    not_positive: float = NOT_POSITIVE
    batch: int = 64
    rate: float = 2e-3
    late_rate: float = 6e-4


ANEW: Final = SequenceTraining()
GOING_ON: Final = replace(ANEW, rate=ANEW.late_rate)
"""Of an encoder that has learned before."""


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
    training: SequenceTraining = ANEW,
    resume: Resume = NO_RESUME,
    part: str = ENCODER,
) -> float:
    """Train the encoder in place for at most so many epochs (`passes`), on windows drawn anew for each; the mean loss of the last
    one, NaN if none was left to train. vocabulary: ids of the items that the encoder knows, ascending; part: of the training, by
    which it is resumed. Raises Broken as soon as a loss is not finite."""
    encoder.build()
    optimizer = keras.optimizers.Adam(training.rate)
    optimizer.build(encoder.trainable_variables)
    size = int(encoder.bias.shape[0])
    rng = np.random.default_rng(seed)
    taught = _taught(windows, vocabulary, training.not_positive)
    epochs = passes(epochs, len(taught))
    absent = tf.constant(log_absent(taught, size))

    def step(drawn: Any, items: Any, marks: Any, gaps: Any, following: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            following, weights = following[:, -TAUGHT:], weights[:, -TAUGHT:]
            counts = weights > 0
            states = tf.boolean_mask(encoder(items, marks, gaps, training=True, newest=TAUGHT), counts)
            answers, shares = tf.boolean_mask(following, counts), tf.boolean_mask(weights, counts)
            if size <= FULL_SOFTMAX:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(answers - 1, encoder.logits(states))
            else:
                losses = sampled_losses(encoder, absent, states, answers, drawn)
            losses += training.smoothing * lead_of(encoder, states, answers)
            loss = tf.reduce_sum(losses * shares) / tf.maximum(tf.reduce_sum(shares), 1e-6)
        optimizer.apply(tape.gradient(loss, encoder.trainable_variables), encoder.trainable_variables)
        return loss

    wide = tf.TensorSpec([None, LENGTH], tf.int64)
    signature = [
        tf.TensorSpec([SAMPLED], tf.int64),
        wide,
        wide,
        tf.TensorSpec([None, LENGTH + 1], tf.int64),
        wide,
        tf.TensorSpec([None, LENGTH], tf.float32),
    ]
    compiled = tf.function(step, input_signature=signature)
    mean = float("nan")
    state = [*encoder.variables, *optimizer.variables]
    for epoch in range(resume.restore(part, state, rng, None) + 1, epochs + 1):
        if epoch > epochs - epochs // 3:
            optimizer.learning_rate = training.late_rate
        data = indexed(windows.drawn(rng, training.not_positive), vocabulary)
        data.items[rng.random(data.items.shape) < training.hidden] = 0
        order, total, done = rng.permutation(len(data)), 0.0, 0
        for start in range(0, len(order), training.batch):
            rows = order[start : start + training.batch]
            drawn = rng.integers(1, size + 1, SAMPLED)
            loss = float(compiled(drawn, *(getattr(data, name)[rows] for name in vars(data))))
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


def passes(epochs: int, events: int) -> int:
    """The number of passes over so many events that teach, at most `epochs`."""
    return min(epochs, max(MIN_PASSES, EVENTS // max(events, 1)))


def _taught(windows: Windows | WindowedHistories, vocabulary: AnyArray, not_positive: float) -> AnyArray:
    """[n] what follows in windows, as indices into the vocabulary from 1."""
    data = indexed(windows.drawn(np.random.default_rng(0), not_positive), vocabulary)
    return data.following[data.weights > 0]


def log_absent(following: AnyArray, size: int) -> FloatArray:
    """[size] the logarithm of the probability that an item is not what follows, from all that follow, as indices from 1."""
    counts = np.bincount(following, minlength=size + 1)[1:]
    absent: FloatArray = np.log1p(-counts / (counts.sum() + 1)).astype(np.float32)
    return absent


def lead_of(encoder: Any, states: Any, following: Any) -> Any:
    """[k] by how much the logit of what follows is above the mean of all items' logits."""
    mean = tf.linalg.matvec(states, tf.reduce_mean(encoder.items.embeddings[1:], axis=0)) + tf.reduce_mean(encoder.bias)
    return encoder.logits_of(states, following) - mean


def sampled_losses(encoder: Any, absent: Any, states: Any, following: Any, drawn: Any) -> Any:
    """[k] estimates of the cross entropy over all items, from a sample: what follows anywhere in the batch and the SAMPLED items
    that were drawn, each once.

    An item of the sample counts 1/π, π being the probability that a sample has it (D. G. Horvitz, D. J. Thompson, JASA 1952), so
    that the sum over all items is estimated without bias. Without this what is popular, which every sample has, would be pushed
    down. absent: `log_absent`.
    """
    size = int(absent.shape[0])
    choice, index = tf.unique(tf.concat([following, drawn], axis=0))
    answers = tf.size(following)
    logits = tf.matmul(states, tf.gather(encoder.items.embeddings, choice), transpose_b=True)
    logits += tf.gather(encoder.bias, choice - 1)
    missed = tf.cast(answers, tf.float32) * tf.gather(absent, choice - 1) + SAMPLED * log1p(-1 / size)
    own = tf.stack([tf.range(answers), index[:answers]], axis=1)  # which is in its own sample for certain
    corrected = tf.tensor_scatter_nd_update(
        logits - tf.math.log(-tf.math.expm1(missed)), own, tf.gather_nd(logits, own)
    )
    return tf.nn.sparse_softmax_cross_entropy_with_logits(index[:answers], corrected)
