"""Histories as vectors that a candidate's vector can be compared with: one table of items for both."""

from typing import Any, Final

import keras
import tensorflow as tf

from features.history import GAPS, LENGTH, MARKS
from models.nets.parts.ids import IdIndex
from models.nets.parts.inputs import history_inputs
from models.nets.parts.net import NetContext

WIDTH: Final = 32


class Interests(keras.layers.Layer):  # type: ignore[misc,unused-ignore]
    """items [n, L] as places in the vocabulary (0: none or unknown), marks [n, L], gaps [n, L + 1], candidate [n] → the events'
    vectors [n, L, WIDTH], which of them are there [n, L] (1 or 0), and the candidate's vector [n, WIDTH].

    An event's vector is its item's, with how it was taken and how long ago it was in the order of events added.
    """

    def __init__(self, size: int, seed: int, name: str = "interests") -> None:
        super().__init__(name=name)

        def table(rows: int, at: int, label: str) -> Any:
            init = keras.initializers.RandomNormal(stddev=0.05, seed=seed + at)
            return keras.layers.Embedding(rows, WIDTH, embeddings_initializer=init, name=label)

        self.items, self.marks = table(size + 1, 0, "items"), table(MARKS, 1, "marks")
        self.gaps, self.places = table(GAPS, 2, "gaps"), table(LENGTH, 3, "places")

    def call(self, items: Any, marks: Any, gaps: Any, candidate: Any) -> Any:
        events = self.items(items) + self.marks(marks) + self.gaps(gaps[:, :-1]) + self.places(tf.range(LENGTH))[None]
        there = tf.cast(items > 0, tf.float32)
        return events * there[:, :, None], there, self.items(candidate)

    def compute_output_shape(self, *_shapes: Any, **_named: Any) -> tuple[tuple[int | None, ...], ...]:
        return (None, LENGTH, WIDTH), (None, LENGTH), (None, WIDTH)


def interests_of(context: NetContext) -> tuple[dict[str, Any], Any, Any, Any]:
    """(inputs, events, there, candidate): the inputs movieId int64 [n], history, marks, gaps, and user float32 [n, U + 3G]; and
    what `Interests` makes of them."""
    inputs = history_inputs() | {
        "movieId": keras.Input(shape=(), dtype="int64", name="movieId"),
        "user": keras.Input(shape=(context.widths["user"],), dtype="float32", name="user"),
    }
    index = IdIndex(context.item_ids, "item_index")
    events, there, candidate = Interests(len(context.item_ids), context.seed)(
        index(inputs["history"]), inputs["history_marks"], inputs["history_gaps"], index(inputs["movieId"])
    )
    return inputs, events, there, candidate
