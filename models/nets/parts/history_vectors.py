"""Histories as vectors that a candidate's vector can be compared with: one table of items for both."""

from dataclasses import dataclass
from typing import Any, Final

import keras
import tensorflow as tf

from features.inputs.history import GAPS, LENGTH, MARKS
from features.inputs.input_maps import HISTORY_INPUTS
from models.nets.parts.id_layers import IdIndex, Table
from models.nets.parts.inputs import Distinct, history_inputs
from models.nets.parts.net import NetContext

WIDTH: Final = 32


class Interests(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """items [m, L] as indices into the vocabulary (0: none or unknown), marks [m, L], gaps [m, L + 1], candidate [n] → the
    events' vectors [m, L, WIDTH], present [m, L] (1 where there is an event, else 0), and the candidate's vector
    [n, WIDTH].

    An event's vector is its item's, with how it was taken and how long ago it was in the order of events added.
    """

    def __init__(self, size: int, seed: int, name: str = "interests") -> None:
        super().__init__(name=name)

        def table(rows: int, at: int, label: str) -> Any:
            init = keras.initializers.RandomNormal(stddev=0.05, seed=seed + at)
            return Table(rows, WIDTH, embeddings_initializer=init, name=label)

        self.items, self.marks = table(size + 1, 0, "items"), table(MARKS, 1, "marks")
        self.gaps, self.positions = table(GAPS, 2, "gaps"), table(LENGTH, 3, "places")

    def call(self, items: Any, marks: Any, gaps: Any, candidate: Any) -> Any:
        events = (
            self.items(items) + self.marks(marks) + self.gaps(gaps[:, :-1]) + self.positions(tf.range(LENGTH))[None]
        )
        present = tf.cast(items > 0, tf.float32)
        return events * present[:, :, None], present, self.items(candidate)

    def compute_output_shape(self, *_shapes: Any, **_named: Any) -> tuple[tuple[int | None, ...], ...]:
        return (None, LENGTH, WIDTH), (None, LENGTH), (None, WIDTH)


@dataclass(frozen=True)
class Compared:
    """The first layers of nets that compare a candidate with a user's events.

    inputs     movieId int64 [n], history, marks [n, L], gaps [n, L + 1], user float32 [n, U + 3(G + 1)]
    events     vectors of the distinct histories' events, [m, L, WIDTH]
    present    1 where there is an event, else 0, [m, L]
    whose      the history that each row has, [n]
    candidate  vectors of the candidates, [n, WIDTH]
    """

    inputs: dict[str, Any]
    events: Any
    present: Any
    whose: Any
    candidate: Any


def interests_of(context: NetContext) -> Compared:
    """The inputs of such a net, and what `Interests` makes of them."""
    inputs = history_inputs() | {
        "movieId": keras.Input(shape=(), dtype="int64", name="movieId"),
        "user": keras.Input(shape=(context.widths["user"],), dtype="float32", name="user"),
    }
    history, marks, gaps, whose = Distinct()(*(inputs[name] for name in (*HISTORY_INPUTS, "movieId")))
    index = IdIndex(context.item_ids, "item_index")
    events, present, candidate = Interests(len(context.item_ids), context.seed)(
        index(history), marks, gaps, index(inputs["movieId"])
    )
    return Compared(inputs, events, present, whose, candidate)
