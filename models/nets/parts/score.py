"""The last layer of nets that learn from lists: from a logit, which a list was ranked by, to a share."""

from typing import Any

import keras
import tensorflow as tf


class Calibration(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """sigmoid(scale · logit + shift), float32 [n, 1]: set after training, so that scores are the share liked among such rows."""

    def __init__(self, name: str = "score") -> None:
        super().__init__(name=name)
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones", trainable=False)
        self.shift = self.add_weight(name="shift", shape=(), initializer="zeros", trainable=False)

    def call(self, logit: Any) -> Any:
        return tf.sigmoid(self.scale * logit + self.shift)
