"""Warm start: the weights of a version by name, with the ids of its tables, stored next to its SavedModel."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from features.arrays import AnyArray, IntArray
from features.errors import BadInput, Broken
from models.nets.parts.net import UNKNOWN_ID, NetContext
from models.registry import Manifest, read_manifest, version_folder

WEIGHTS: Final = Path("assets.extra") / "weights.npz"
_IDS: Final = ("user_ids", "item_ids")
_VOCABULARY: Final = "vocabulary"
_ENCODER: Final = "encoder/"
_FITTED_ANEW: Final = "/bounds/"
"""Part of the path of weights that each training fits anew, to the others."""


@dataclass(frozen=True)
class Earlier:
    """A version to go on from. user_ids, item_ids: what its tables have rows for; values: its weights by path."""

    manifest: Manifest
    user_ids: IntArray
    item_ids: IntArray
    values: dict[str, AnyArray]


def write_weights(model: Any, context: NetContext, folder: Path) -> None:
    """Write all weights but the vocabularies, which the context holds, into a version's folder."""
    path = folder / WEIGHTS
    path.parent.mkdir(exist_ok=True)
    values = {each.path: each.numpy() for each in model.weights if not each.path.endswith(_VOCABULARY)}
    np.savez(path, user_ids=context.user_ids, item_ids=context.item_ids, **values)


def read_earlier(models: Path, name: str, version: int) -> Earlier:
    """The published version `version`. Raises BadInput for a version that is not there or has no weights with it, Broken where
    they can't be read."""
    return earlier_in(version_folder(models, name, version), f"{name} version {version}")


def earlier_in(folder: Path, title: str) -> Earlier:
    """The version in a folder, published or not, which messages call by its title. Raises as `read_earlier` does."""
    if not (folder / WEIGHTS).exists():
        raise BadInput(title, "a version with weights to go on from", f"none in {folder}")
    try:
        with (folder / WEIGHTS).open("rb") as opened, np.load(opened) as file:
            values = {key: file[key] for key in file.files}
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise Broken(f"{folder / WEIGHTS} can't be read: {error}") from error
    user_ids, item_ids = (values.pop(key) for key in _IDS)
    return Earlier(read_manifest(folder), user_ids, item_ids, values)


def with_new(known: IntArray, ids: IntArray) -> IntArray:
    """A vocabulary that also has the ids that are new."""
    return np.union1d(known, ids[ids != UNKNOWN_ID]).astype(np.int64)


def has_bounds(earlier: Earlier) -> bool:
    """Whether a version has learned what all items' logits come to; one of before that has not."""
    return any(_FITTED_ANEW in path for path in earlier.values)


def has_encoder(earlier: Earlier) -> bool:
    """Whether a version has a sequence model."""
    return any(path.startswith(_ENCODER) for path in earlier.values)


def take_over(model: Any, context: NetContext, earlier: Earlier) -> None:
    """Put the earlier weights into a model that was built anew, rows of tables where their ids are now; new ids keep what they
    began with, and so do weights that each training fits anew, where that version had none of them. Raises Broken where the net
    is not the one of that version."""
    named = {
        each.path: each
        for each in model.weights
        if not each.path.endswith(_VOCABULARY) and (each.path in earlier.values or _FITTED_ANEW not in each.path)
    }
    if named.keys() != earlier.values.keys():
        strange = ", ".join(sorted(named.keys() ^ earlier.values.keys())[:3])
        raise Broken(f"{earlier.manifest.name} was built otherwise in version {earlier.manifest.version}: {strange}")
    for path, variable in named.items():
        value = earlier.values[path]
        shape = tuple(variable.shape)
        if value.shape == shape and not _is_table(path, value, earlier):
            variable.assign(value)
        elif value.shape[1:] == shape[1:] and _is_table(path, value, earlier):
            old, new = _ids(path, earlier), _ids(path, context)
            offset = len(value) - len(old)  # a table may have a row before the first id, for what it does not know
            moved = variable.numpy()
            moved[:offset] = value[:offset]
            moved[offset + np.searchsorted(new, old)] = value[offset:]
            variable.assign(moved)
        else:
            version = earlier.manifest.version
            raise Broken(
                f"{path}: expected {list(shape)}, version {version} has {list(value.shape)}: where what a net takes has changed "
                "since, train it anew, without --go-on"
            )


def _ids(path: str, of: Any) -> IntArray:
    """The ids of a table's rows: users' where its name contains `user`, else items'."""
    ids: IntArray = of.user_ids if "user" in path else of.item_ids
    return ids


def _is_table(path: str, value: AnyArray, earlier: Earlier) -> bool:
    """Whether a weight has a row for each id: embeddings whose layer is named after users or items, and the encoder's bias."""
    layer, _, what = path.rpartition("/")
    named = what == "embeddings" and any(kind in layer.rpartition("/")[2] for kind in ("user", "item"))
    return (named or path == "encoder/bias") and len(value) - len(_ids(path, earlier)) in (0, 1)
