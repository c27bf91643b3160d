"""The interface of a model: what it takes, and how it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from features.arrays import IntArray
from features.errors import BadInput
from features.inputs.input_maps import INPUT_NAMES
from features.types import NO_ID

UNKNOWN_ID: Final = NO_ID
"""An id that no vocabulary holds."""

ROWS, SEQUENCES, LISTS = "rows", "sequences", "lists"
"""Kinds of training data: labelled rows, one at a time; users' histories, by their next items; lists of candidates, by the one
that was liked."""


@dataclass(frozen=True)
class NetContext:
    """The vocabulary and widths that a net is built for.

    user_ids, item_ids  the ids seen in training, int64, strictly ascending, at least one each
    widths              columns of each float input, by input name
    seed                of every initial weight

    Raises BadInput where an id list is empty, negative or not strictly ascending.
    """

    user_ids: IntArray
    item_ids: IntArray
    widths: Mapping[str, int]
    seed: int = 7

    def __post_init__(self) -> None:
        for name, ids in (("user_ids", self.user_ids), ("item_ids", self.item_ids)):
            if len(ids) == 0 or UNKNOWN_ID in ids or not bool(np.all(ids[1:] > ids[:-1])):
                expected = f"ids other than {UNKNOWN_ID}, strictly ascending, at least one"
                raise BadInput(name, expected, f"{len(ids)} ids that are not")


@dataclass(frozen=True)
class Net:
    """One model.

    name           the name under which it is served
    inputs         names out of `features.inputs.input_maps.INPUT_NAMES`: exactly the inputs of its serving signature
    build          NetContext → keras.Model that takes a dict of these inputs and gives probabilities, float32 [n, 1]
    id_dropout     share of rows whose id is replaced by an unknown one in training, by input name: most live users are
                   new, so the unknown user must be trained like any other
    learning_rate  of Adam
    batch_size     rows a training step
    learns         from ROWS, SEQUENCES or LISTS
    towers         layers whose outputs are a user's and an item's vector, float32 [n, W], if scores grow with their inner
                   product alone; every input but movieId is the user's then

    Raises BadInput for an input that features.inputs.model_inputs does not make.
    """

    name: str
    inputs: tuple[str, ...]
    build: Callable[[NetContext], Any]
    id_dropout: Mapping[str, float] = field(default_factory=dict)
    learning_rate: float = 2e-3
    batch_size: int = 2048
    learns: str = ROWS
    towers: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        for name in self.inputs:
            if name not in INPUT_NAMES:
                raise BadInput(f"inputs of the net {self.name}", f"names out of {', '.join(INPUT_NAMES)}", repr(name))
