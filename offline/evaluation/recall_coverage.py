"""Coverage of recall, the share of next items that it finds, with and without each channel:
`python -m offline.evaluation.recall_coverage`.

The rows and queries are the protocol's. A query counts if the item that came next is among the candidates at all, so nothing
ranks. Weights and vectors stay as they were made, histories are live.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from rich.table import Table

from features.arrays import FloatArray, IntArray
from features.base.embedding_files import (
    ALS,
    CHANNEL_LIMITS,
    META,
    TWOTOWER,
    EmbeddingsMeta,
    FoldIn,
    faded_mean,
    gram_of,
    unit,
)
from features.base.reader import RELATIONS, Base
from features.errors import Broken
from features.inputs.columns import user_vector
from features.inputs.history import history_of
from features.inputs.model_inputs import RawInputs, model_inputs
from features.inputs.moment import Moment
from features.inputs.signals import RECALL_SIGNALS, RECENT_FADE, RECENT_LIKED, find_signals
from models.registry import Manifest, list_versions, version_folder
from offline.base.from_dataset import check_made_of
from offline.console import run
from offline.datasets.dataset import Dataset, open_dataset
from offline.evaluation.methods.model_methods import manifest_of
from offline.evaluation.protocol import protocol_rows
from offline.evaluation.ranking_metrics import Queries
from offline.evaluation.report import report_console
from offline.settings import add_data_arguments
from offline.training_data.history_walk import HistoryWalk, item_ids

SIZES: Final = (300, 500)
NEVER: Final = 1 << 40
BOUNDED: Final = "the same, each its number (features.base.embedding_files.CHANNEL_LIMITS)"
Channel = Callable[[Moment], IntArray]
"""Rows, best first, at most as many as the largest of SIZES."""


class Vectors:
    """A channel by vectors: the items nearest to a vector of the user. Raises Broken for a folder that holds none."""

    def __init__(
        self, folder: Path, user: Callable[[Moment, FloatArray, IntArray], FloatArray | None], normal: bool
    ) -> None:
        try:
            self._ids, vectors = np.load(folder / "items.ids.npy"), np.load(folder / "items.npy")
        except (OSError, ValueError) as error:
            raise Broken(f"{folder} holds no vectors: {error}") from error
        self._vectors: FloatArray = unit(vectors) if normal else vectors
        self._user = user
        self._vector_of: IntArray | None = None

    def __call__(self, moment: Moment) -> IntArray:
        if self._vector_of is None:  # rows of a HistoryWalk do not change
            self._vector_of = np.full(len(moment.items), -1, np.int64)
            self._vector_of[[moment.items.row_of[item_id] for item_id in self._ids.tolist()]] = np.arange(
                len(self._ids)
            )
        vector = self._user(moment, self._vectors, self._vector_of)
        if vector is None:
            return np.zeros(0, np.int64)
        rows = np.flatnonzero(moment.allowed & (self._vector_of >= 0))
        return rows[np.argsort(-(self._vectors[self._vector_of[rows]] @ vector), kind="stable")][: max(SIZES)]


def newest_mean(moment: Moment, vectors: FloatArray, vector_of: IntArray) -> FloatArray | None:
    """The user's vector of the API's channels by Item2vec and DeepWalk."""
    liked, shares = moment.liked(RECENT_LIKED, RECENT_FADE)
    known = vector_of[liked] >= 0
    return faded_mean(vectors[vector_of[liked[known]]], shares[known]) if known.any() else None


def folded_in(fold_in: FoldIn) -> Callable[[Moment, FloatArray, IntArray], FloatArray | None]:
    """The user's vector of the API's channel by ALS."""

    def user(moment: Moment, vectors: FloatArray, vector_of: IntArray) -> FloatArray | None:
        liked = vector_of[np.unique(moment.liked(len(moment.user.sequence), 1.0)[0])]
        return fold_in(vectors[liked[liked >= 0]]) if (liked >= 0).any() else None

    return user


def tower(models: Path, manifest: Manifest) -> Channel:
    """A version of the two-tower model. Raises Broken where it gives no vectors."""
    towers = manifest.towers
    if towers is None:
        raise Broken(f"twotower version {manifest.version} gives no vectors: ./martlet train --model twotower")
    folder = version_folder(models, TWOTOWER, manifest.version)
    from models.training.runtime import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    call, names = loaded.signatures[towers.signature], [each.name for each in towers.inputs]

    def user(moment: Moment, _vectors: FloatArray, _vector_of: IntArray, _model: Any = loaded) -> FloatArray:
        raw = RawInputs(
            np.array([moment.user_id]),
            user_vector(
                moment.user,
                moment.at,
                manifest.maps.vocabulary,
                moment.weights,
                moment.items.schema,
                moment.tastes,
            )[None],
            np.zeros(1, np.int64),
            np.zeros((1, 0), np.float32),
            history=history_of(moment.user.recent, moment.at),
        )
        inputs = model_inputs(names, manifest.maps, raw)
        given: FloatArray = call(**{name: tf.constant(values) for name, values in inputs.items()})[
            towers.output
        ].numpy()
        first: FloatArray = given[0]
        return first

    return Vectors(folder / towers.folder, user, False)


def vector_channels(embeddings: Path | None, models: Path, base: Base) -> dict[str, Channel]:
    """The channels by vectors that there are files for."""
    found: dict[str, Channel] = {}
    if embeddings is not None:
        meta = msgspec.json.decode((embeddings / META).read_bytes(), type=EmbeddingsMeta)
        for kind, made in meta.kinds.items():
            if kind == ALS:
                fold_in = FoldIn(gram_of(np.load(embeddings / ALS / "items.npy")), made.alpha, made.regularization)
                found[kind] = Vectors(embeddings / kind, folded_in(fold_in), False)
            else:
                found[kind] = Vectors(embeddings / kind, newest_mean, True)
    if list_versions(models, TWOTOWER) and (manifest := manifest_of(models, TWOTOWER, base)).towers is not None:
        found[TWOTOWER] = tower(models, manifest)
    return found


def sets_of(more: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The sets of channels that run together, by their names in the table."""
    every = tuple(RECALL_SIGNALS)
    found = {"the signals": every}
    found |= {f"and {name}": (*every, name) for name in more}
    found["and all of these"] = found[BOUNDED] = (*every, *more)
    found |= {f"all without {name}": tuple(each for each in (*every, *more) if each != name) for name in more}
    found |= {f"{name} alone": (name,) for name in (*every, *more)}
    return found


def recall(
    dataset: Dataset, base: Base, channels: Mapping[str, Channel], progress: Callable[[int], None] = lambda _: None
) -> tuple[int, dict[str, list[float]]]:
    """The number of queries, and by set of channels the shares found among as many candidates as SIZES list."""
    check_made_of(base, dataset)
    first, ids = int(base.manifest["history_rows"]), item_ids(dataset, dataset.rows)
    catalogue = {item.item_id: item for item in dataset.items}
    walk = HistoryWalk(dataset, catalogue, ids, base.folder / RELATIONS, base.schema)
    names = (*RECALL_SIGNALS, *channels)
    sets = {label: np.array([names.index(each) for each in which]) for label, which in sets_of(list(channels)).items()}
    hits, queries = {label: [0] * len(SIZES) for label in sets}, 0
    for row in protocol_rows(dataset, base.schema, first, dataset.rows, Queries()):
        if row.is_query:
            queries += 1
            moment = walk.moment(row.event)
            found = find_signals(moment).orders | {name: channel(moment) for name, channel in channels.items()}
            everything = interleaved_ranks([found[name] for name in names], len(ids))
            bounded = interleaved_ranks([found[name][: CHANNEL_LIMITS.get(name)] for name in names], len(ids))
            wanted = walk.index.row_of[row.item_id]
            for label, which in sets.items():
                before = candidates_before((bounded if label == BOUNDED else everything)[which], wanted)
                for at, size in enumerate(SIZES):
                    hits[label][at] += before < size
            progress(row.number)
        walk.fold(row.event)
    return queries, {label: [hit / max(1, queries) for hit in counts] for label, counts in hits.items()}


def interleaved_ranks(orders: Sequence[IntArray], size: int) -> IntArray:
    """[orders, size] for each row its overall rank when candidates are taken by rank, one from each order in turn; NEVER
    where an order does not have it."""
    ranks = np.full((len(orders), size), NEVER)
    for at, order in enumerate(orders):
        ranks[at, order] = np.arange(len(order)) * len(orders) + at
    return ranks


def candidates_before(ranks: IntArray, row: int) -> int:
    """The number of candidates taken before a row is, as `features.inputs.signals.candidates` takes them; NEVER where
    none has it."""
    first = ranks.min(axis=0)
    return NEVER if first[row] == NEVER else int((first < first[row]).sum())


def print_recall(queries: int, found: Mapping[str, Sequence[float]]) -> None:
    table = Table(title=f"what came next, among the candidates: {queries} asks", title_justify="left")
    for name in ("channels", *(f"of {size}" for size in SIZES)):
        table.add_column(name, no_wrap=True)
    for name, shares in found.items():
        table.add_row(name, *(f"{share:.4f}" for share in shares))
    report_console().print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m offline.evaluation.recall_coverage", description=__doc__)
    add_data_arguments(parser)
    parser.add_argument("--base", type=Path, required=True, help="the base that the home started from")
    parser.add_argument("--models", type=Path, required=True, help="folder that holds one folder a model")
    parser.add_argument("--embeddings", type=Path, help="folder of embeddings, as offline.embeddings makes them")
    given = parser.parse_args(argv)

    def measure() -> None:
        dataset = open_dataset(given.dataset, given.data_dir, Base(given.base).schema)
        base = Base(given.base)
        print_recall(*recall(dataset, base, vector_channels(given.embeddings, given.models, base)))

    return run(measure)


if __name__ == "__main__":
    sys.exit(main())
