"""Vectors of a model with two towers, for recall: a signature for the user's, files for the items'."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from features.arrays import AnyArray
from features.base.embedding_files import IDS_FILE, VECTORS_FILE
from features.errors import Broken
from features.inputs.input_maps import OF_USER
from features.inputs.model_inputs import is_integer
from models.nets.parts.net import Net
from models.registry import ModelInput, Towers
from models.training.fitting.fit_rows import Fitted, input_specs

SIGNATURE: Final = "user_vector"
OUTPUT: Final = "vector"
FOLDER: Final = "vectors"
ITEM: Final = "movieId"
_ROWS: Final = 8192


def user_inputs(net: Net) -> tuple[str, ...]:
    """The inputs of the user's tower: all but the item."""
    return tuple(name for name in net.inputs if name != ITEM)


def declared(names: Sequence[str], widths: Mapping[str, int]) -> tuple[ModelInput, ...]:
    """Inputs as a manifest declares them."""
    return tuple(
        ModelInput(name, "int64" if is_integer(name) else "float32", widths[name], name in OF_USER) for name in names
    )


def user_specs(net: Net, widths: Mapping[str, int]) -> dict[str, tf.TensorSpec]:
    """The specs of the user's inputs."""
    specs = input_specs(net, widths)
    return {name: specs[name] for name in user_inputs(net)}


def _tower(net: Net, model: Any, index: int) -> Any:
    assert net.towers is not None
    return keras.Model(model.input, model.get_layer(net.towers[index]).output)


def user_tower(net: Net, model: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Inputs of the user → {OUTPUT: [n, W]}. The graph wants an item too: any will do."""
    tower = _tower(net, model, 0)

    def call(inputs: dict[str, Any]) -> dict[str, Any]:
        count = tf.shape(next(iter(inputs.values())))[0]
        return {OUTPUT: tower({**inputs, ITEM: tf.zeros([count], tf.int64)}, training=False)}

    return call


def write_item_vectors(net: Net, fitted: Fitted, widths: Mapping[str, int], folder: Path) -> None:
    """Write the vectors of all items that the model knows, by id."""
    tower, ids = _tower(net, fitted.model, 1), fitted.context.item_ids
    parts = []
    for start in range(0, len(ids), _ROWS):
        some = ids[start : start + _ROWS]
        inputs = {name: np.zeros((len(some), *spec.shape[1:]), spec.dtype.as_numpy_dtype)
                  for name, spec in user_specs(net, widths).items()}  # fmt: skip
        parts.append(tower({**inputs, ITEM: some}, training=False).numpy())
    out = folder / FOLDER
    out.mkdir()
    np.save(out / IDS_FILE, ids.astype(np.int64))
    np.save(out / VECTORS_FILE, np.concatenate(parts).astype(np.float32))


def read_item_vectors(folder: Path) -> tuple[AnyArray, AnyArray]:
    """(ids, vectors). Raises Broken where they can't be read."""
    try:
        return np.load(folder / IDS_FILE), np.load(folder / VECTORS_FILE)
    except (OSError, ValueError, EOFError) as error:
        raise Broken(f"{folder} holds no vectors of items: {error}") from error


def as_towers(net: Net, model: Any, widths: Mapping[str, int]) -> Towers | None:
    """The manifest's entry for the towers; None for a net without."""
    if net.towers is None:
        return None
    width = int(model.get_layer(net.towers[0]).output.shape[-1])
    return Towers(SIGNATURE, OUTPUT, declared(user_inputs(net), widths), width, FOLDER)
