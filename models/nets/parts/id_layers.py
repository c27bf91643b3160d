"""Ids inside the graph: from raw int64 ids to embeddings, by plain ops that need no table initialiser in a Session."""

from typing import Any

import keras
import tensorflow as tf

from features.arrays import IntArray

EMBEDDING_L2 = 2e-6
"""Weight of the squared embeddings of a batch in the loss: only rows that were looked up are drawn to zero."""


class IdIndex(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Index of an id in a sorted vocabulary, from 1; 0 for an id that it does not hold.

    In: int64 raw ids of any shape. Out: int64 of that shape, from 0 to len(vocabulary). The vocabulary is a variable that is
    not trained.
    """

    def __init__(self, vocabulary: IntArray, name: str) -> None:
        super().__init__(name=name, dtype="int64", trainable=False)
        self.vocabulary = self.add_weight(
            name="vocabulary",
            shape=(len(vocabulary),),
            dtype="int64",
            trainable=False,
            initializer=lambda _shape, dtype: tf.constant(vocabulary, dtype),
        )

    def call(self, ids: Any) -> Any:
        vocabulary = tf.convert_to_tensor(self.vocabulary)
        flat = tf.reshape(ids, [-1])
        index = tf.searchsorted(vocabulary, flat, out_type=tf.int64)
        last = tf.shape(vocabulary, out_type=tf.int64)[0] - 1
        found = tf.equal(tf.gather(vocabulary, tf.minimum(index, last)), flat)
        return tf.reshape(tf.where(found, index + 1, tf.zeros_like(index)), tf.shape(ids))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


class Table(keras.layers.Embedding):  # type: ignore[misc]  # Keras has no types
    """Vectors by index, int64 of any shape → float32 of that shape and one axis more. Keras' own layer also counts negative
    indices from the end: three steps for every lookup, and no index here is negative."""

    def call(self, inputs: Any) -> Any:
        return tf.gather(self.embeddings, inputs)


def embedding(index: Any, size: int, width: int, name: str, seed: int) -> Any:
    """float32 [n, width]: trained vectors for the indices 0 (unknown) to `size`."""
    layer = Table(
        size + 1,
        width,
        name=name,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.03, seed=seed),
        activity_regularizer=keras.regularizers.L2(EMBEDDING_L2),
    )
    return layer(index)


def dense(values: Any, width: int, name: str, seed: int, activation: str | None = "relu") -> Any:
    """float32 [n, width]: a fully connected layer with its own fixed seed."""
    layer = keras.layers.Dense(
        width, activation=activation, name=name, kernel_initializer=keras.initializers.GlorotUniform(seed=seed)
    )
    return layer(values)
