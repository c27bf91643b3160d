"""An encoder learns from a sample of items what all of them would teach, and of a long history no more than enough."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.inputs.history import LENGTH
from models.training.lessons.sequence_windows import TAUGHT
from models.training.runtime import import_tensorflow

import_tensorflow()

import tensorflow as tf  # noqa: E402

from models.nets.parts.sequence import WIDTH, SequenceEncoder  # noqa: E402
from models.training.fitting.fit_sequences import (  # noqa: E402
    EVENTS,
    MIN_PASSES,
    SAMPLED,
    lead_of,
    log_absent,
    passes,
    sampled_losses,
)

pytestmark = pytest.mark.keras

ITEMS, ANSWERS, BATCHES = 8 * SAMPLED, 200, 60


def test_what_a_sample_says_is_on_average_what_all_items_say() -> None:
    """Few items are in every batch and in the answers, most are in neither: the sums over both estimate the sum over all."""
    rng = np.random.default_rng(5)
    shares = 1 / np.arange(1, ITEMS + 1)
    shares /= shares.sum()
    logits = np.log(shares) + rng.normal(0, 0.5, ITEMS)
    encoder: Any = SimpleNamespace(
        items=SimpleNamespace(embeddings=tf.zeros([ITEMS + 1, 4])), bias=tf.constant(logits, tf.float32)
    )
    absent = tf.constant(log_absent(rng.choice(ITEMS, 1_000_000, p=shares) + 1, ITEMS))
    sums = []
    for _ in range(BATCHES):
        answers = rng.choice(ITEMS, ANSWERS, p=shares) + 1
        drawn = rng.integers(1, ITEMS + 1, SAMPLED)
        losses = sampled_losses(
            encoder, absent, tf.zeros([ANSWERS, 4]), tf.constant(answers), tf.constant(drawn)
        ).numpy()
        sums.append(np.exp(losses + logits[answers - 1]).mean())
    whole, spread = np.exp(logits).sum(), np.std(sums) / BATCHES**0.5
    assert spread < 0.02 * whole
    assert abs(np.mean(sums) - whole) < 4 * spread


@pytest.mark.parametrize(
    ("epochs", "events", "expected"),
    [(12, 0, 12), (12, EVENTS // 12, 12), (12, EVENTS // 8, 8), (12, 10 * EVENTS, MIN_PASSES), (2, 10 * EVENTS, 2)],
)
def test_a_long_history_is_passed_over_less_often(epochs: int, events: int, expected: int) -> None:
    assert passes(epochs, events) == expected


def test_the_lead_of_what_follows_is_over_the_mean_of_all_items() -> None:
    encoder, rng = SequenceEncoder(50, 3), np.random.default_rng(3)
    encoder.build()
    encoder.bias.assign(rng.normal(0, 1, 50))
    states, following = tf.constant(rng.normal(0, 1, (6, WIDTH)), tf.float32), rng.integers(1, 51, 6)
    logits = encoder.logits(states).numpy()
    expected = logits[np.arange(6), following - 1] - logits.mean(axis=1)
    np.testing.assert_allclose(lead_of(encoder, states, tf.constant(following)), expected, atol=1e-4)


def test_the_newest_states_are_those_of_the_whole() -> None:
    encoder, rng = SequenceEncoder(50, 3), np.random.default_rng(3)
    encoder.build()
    items, marks = (tf.constant(rng.integers(0, most, (6, LENGTH))) for most in (51, 11))
    gaps = tf.constant(rng.integers(0, 20, (6, LENGTH + 1)))
    whole = encoder(items, marks, gaps).numpy()
    for newest in (1, TAUGHT):
        np.testing.assert_allclose(encoder(items, marks, gaps, newest=newest), whole[:, -newest:], atol=1e-5)
