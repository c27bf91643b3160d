"""A transformer over a user's newest events, and its scores for every item.

SASRec: W.-C. Kang, J. McAuley, Self-Attentive Sequential Recommendation, ICDM 2018, with layer norms before the blocks; and
beside the items, how each was taken and how long after the one before, and how long ago the newest is (as TiSASRec: J. Li,
Y. Wang, J. McAuley, WSDM 2020, does with all pairs).
"""

from typing import Any, Final

import keras
import tensorflow as tf

from features.inputs.history import GAPS, LENGTH, MARKS
from models.nets.parts.id_layers import Table

WIDTH: Final = 64
BLOCKS: Final = 2
HEADS: Final = 2
DROPOUT: Final = 0.1
BOUNDS: Final = 3


class Norm(keras.layers.LayerNormalization):  # type: ignore[misc]  # Keras has no types
    """Layer norm over the last axis, in the steps that ONNX Runtime joins into one; Keras writes it otherwise."""

    def call(self, inputs: Any) -> Any:
        apart = inputs - tf.reduce_mean(inputs, axis=-1, keepdims=True)
        spread = tf.sqrt(tf.reduce_mean(tf.square(apart), axis=-1, keepdims=True) + self.epsilon)
        return apart / spread * self.gamma + self.beta


def gelu(values: Any) -> Any:
    """The Gaussian error linear unit, by erf, which ONNX has; Keras takes erfc."""
    return 0.5 * values * (1.0 + tf.math.erf(values / 2**0.5))


class _Block(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Attention and a perceptron, each with a norm before and a way around: [n, L, WIDTH], mask [n, L, L] → [n, newest, WIDTH] of
    the last positions."""

    def __init__(self, name: str, seed: int, dropout: float) -> None:
        super().__init__(name=name)
        init = keras.initializers.GlorotUniform
        self.norm_1 = Norm(epsilon=1e-6, name="norm_1")
        self.attention = keras.layers.MultiHeadAttention(
            HEADS, WIDTH // HEADS, dropout=dropout, kernel_initializer=init(seed), seed=seed, name="attention"
        )
        self.norm_2 = Norm(epsilon=1e-6, name="norm_2")
        self.wide = keras.layers.Dense(2 * WIDTH, activation=gelu, kernel_initializer=init(seed + 1), name="wide")
        self.narrow = keras.layers.Dense(WIDTH, kernel_initializer=init(seed + 2), name="narrow")
        self.dropout = keras.layers.Dropout(dropout, seed=seed)

    def call(self, values: Any, mask: Any, training: bool = False, newest: int = LENGTH) -> Any:
        normed = queries = self.norm_1(values)
        if newest < LENGTH:
            queries, mask, values = normed[:, -newest:], mask[:, -newest:], values[:, -newest:]
        attended = self.attention(queries, normed, attention_mask=mask, training=training)
        values = values + self.dropout(attended, training=training)
        thought = self.narrow(self.wide(self.norm_2(values)))
        return values + self.dropout(thought, training=training)


class SequenceEncoder(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Histories → states, and states → logits of all items.

    items [n, L] are indices into the vocabulary, from 1, 0 for none or unknown; marks [n, L], gaps [n, L + 1] as in
    `features.inputs.history`. A state at a position predicts what comes next, given the gap until then; those of the `newest`
    positions are computed, [n, newest, WIDTH]. dropout: share of values that are left out in training.
    """

    def __init__(self, size: int, seed: int, name: str = "encoder", dropout: float = DROPOUT) -> None:
        super().__init__(name=name)

        def table(rows: int, at: int, label: str) -> Any:
            init = keras.initializers.RandomUniform(-0.05, 0.05, seed=seed + at)
            return Table(rows, WIDTH, embeddings_initializer=init, name=label)

        self.items = table(size + 1, 0, "items")
        self.marks = table(MARKS, 1, "marks")
        self.gaps = table(GAPS, 2, "gaps")
        self.until = table(GAPS, 3, "until")
        self.positions = table(LENGTH, 4, "places")
        self.blocks = [_Block(f"block_{at}", seed + 10 * (at + 1), dropout) for at in range(BLOCKS)]
        self.norm = Norm(epsilon=1e-6, name="norm")
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.made = False
        self.bias = self.add_weight(name="bias", shape=(size,), initializer="zeros")

    def build(self, _shape: Any = None) -> None:
        """Make all weights: a layer within a layer has none before it is called."""
        if not self.made:
            self.made = self.built = True
            nothing = tf.zeros([1, LENGTH], tf.int64)
            self.call(nothing, nothing, tf.zeros([1, LENGTH + 1], tf.int64))

    def call(self, items: Any, marks: Any, gaps: Any, training: bool = False, newest: int = LENGTH) -> Any:
        values = self.items(items) * WIDTH**0.5 + self.marks(marks) + self.gaps(gaps[:, :-1])
        values = self.dropout(values + self.positions(tf.range(LENGTH))[None], training=training)
        earlier = tf.linalg.band_part(tf.ones([LENGTH, LENGTH], tf.bool), -1, 0)[None]
        itself = tf.eye(LENGTH, dtype=tf.bool)[None]
        mask = tf.logical_or(tf.logical_and(earlier, (items > 0)[:, None, :]), itself)
        for block in self.blocks:
            values = block(values, mask, training=training, newest=newest if block is self.blocks[-1] else LENGTH)
        return self.norm(values) + self.until(gaps[:, -newest:])

    def logits(self, states: Any) -> Any:
        """[…, size] of every item of the vocabulary, from its first on."""
        return tf.matmul(states, self.items.embeddings[1:], transpose_b=True) + self.bias

    def logits_of(self, states: Any, candidates: Any) -> Any:
        """[n] of one item each, states [n, WIDTH], candidates [n] as indices; of no item in particular for 0."""
        own = tf.reduce_sum(states * self.items(candidates), axis=1)
        return own + tf.gather(self.bias, tf.maximum(candidates - 1, 0))


class Bounds(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """What the logits of all items come to, from the state alone: [m, WIDTH] → [m, 3] the logarithm of the sum of their
    exponentials, the largest and the smallest, as training has learned them (`models.training.fitting.fit_bounds`). To compute
    them takes as long as the catalogue is large; and within a list they are the same for all candidates.
    """

    def __init__(self, seed: int, name: str = "bounds") -> None:
        super().__init__(name=name)
        init = keras.initializers.GlorotUniform
        self.hidden = keras.layers.Dense(2 * WIDTH, activation=gelu, kernel_initializer=init(seed), name="hidden")
        self.out = keras.layers.Dense(BOUNDS, kernel_initializer="zeros", name="out")

    def build(self, shape: Any) -> None:
        self.hidden.build(shape)
        self.out.build((shape[0], 2 * WIDTH))
        self.built = True

    def call(self, states: Any) -> Any:
        return self.out(self.hidden(states))


class NextItem(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Scores of candidates as the next item: items, marks [m, L], gaps [m, L + 1], whose [n], candidate [n] → [n, 2] the
    logarithm of its share among all items, and how far its logit is below the best, by what is learned of both (`Bounds`). An
    item that is not in the vocabulary has the share of the least likely.
    """

    def __init__(self, encoder: SequenceEncoder, seed: int, name: str = "next_item") -> None:
        super().__init__(name=name)
        self.encoder = encoder
        self.bounds = Bounds(seed)

    def build(self, *_shapes: Any, **_named: Any) -> None:
        self.encoder.build()
        self.bounds.build((None, WIDTH))
        self.built = True

    def call(self, items: Any, marks: Any, gaps: Any, whose: Any, candidate: Any) -> Any:
        states = self.encoder(items, marks, gaps, newest=1)[:, 0]
        whole, best, lowest = tf.unstack(tf.gather(self.bounds(states), whose), axis=1)
        logits = self.encoder.logits_of(tf.gather(states, whose), candidate)
        mine = tf.where(candidate > 0, logits, lowest)
        return tf.stack([mine - whole, mine - best], axis=1)

    def compute_output_shape(self, *_shapes: Any, **_named: Any) -> tuple[None, int]:
        return (None, 2)
