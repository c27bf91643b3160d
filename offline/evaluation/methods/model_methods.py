"""Published models as methods of an evaluation: called in this process, with the inputs that the API would make."""

from pathlib import Path
from typing import Any

import numpy as np

from features.arrays import IntArray
from features.base.reader import Base
from features.errors import BadInput
from features.inputs.columns import item_matrix, user_vector
from features.inputs.history import history_of
from features.inputs.input_maps import HISTORY_INPUTS
from features.inputs.model_inputs import RawInputs, model_inputs
from features.inputs.signals import signal_matrix
from models.registry import Manifest, list_versions, read_manifest, version_folder
from models.training.row_metrics import TOP
from models.training.runtime import import_tensorflow
from offline.evaluation.prequential import RankingQuery


def manifest_of(models: Path, name: str, base: Base) -> Manifest:
    """Of a model's newest version that has learned from nothing after the base's history, which is what it is evaluated on.
    Raises BadInput if it has none, Broken for one that can't be read."""
    versions = sorted(list_versions(models, name), reverse=True)
    for version in versions or [0]:
        manifest = read_manifest(version_folder(models, name, version))
        if manifest.data.to_ms <= base.cut:
            return manifest
    raise BadInput(
        "--model",
        f"a version of {name} that has learned from nothing after the history of base {base.manifest['number']}",
        f"only versions that have: {', '.join(map(str, versions))}",
    )


class ModelMethod:
    """The lists of a version of a model, in its folder. Raises Broken for one that can't be read."""

    def __init__(self, folder: Path) -> None:
        self.manifest = read_manifest(folder)
        self._names = [each.name for each in self.manifest.inputs]
        import_tensorflow()
        import tensorflow as tf

        self._constant = tf.constant
        self._loaded = tf.saved_model.load(str(folder))
        self._call = self._loaded.signatures["serving_default"]

    def __call__(self, query: RankingQuery) -> IntArray:
        return self.best(query, TOP)

    def best(self, query: RankingQuery, count: int) -> IntArray:
        """The rows of so many candidates, best first."""
        moment, rows, names = query.moment, query.rows, self._names
        if not len(rows):
            return rows
        item_ids, vocabulary = moment.items.columns.ids[rows], self.manifest.maps.vocabulary
        raw = RawInputs(
            np.array([moment.user_id], np.int64),
            user_vector(moment.user, moment.at, vocabulary, moment.weights, moment.items.schema, moment.tastes)[None],
            item_ids,
            item_matrix(moment.items.columns, rows, moment.at, vocabulary),
            None,
            history_of(moment.user.recent, moment.at) if set(HISTORY_INPUTS) & set(names) else None,
            signal_matrix(query.signals, rows) if "signals" in names else None,
        )
        inputs: dict[str, Any] = model_inputs(names, self.manifest.maps, raw, signals=self.manifest.width_of("signals"))
        answer = self._call(**{name: self._constant(values) for name, values in inputs.items()})
        scores = answer[self.manifest.outputs[0]].numpy()[:, 0]
        best: IntArray = np.lexsort((item_ids, -scores))[:count]
        return rows[best]
