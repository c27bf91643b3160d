"""A model whose weights go on by slices of the walk, by what the learner of a home goes on with (`models.learning`)."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from features.arrays import FloatArray, IntArray
from features.inputs.columns import user_vector
from features.inputs.history import history_of
from features.inputs.signals import signal_matrix
from features.schema.tables import is_act
from models.registry import Manifest
from models.training.row_metrics import TOP
from offline.evaluation.methods.model_methods import ModelMethod
from offline.evaluation.prequential import RankingQuery
from offline.evaluation.protocol import ProtocolRow
from offline.training_data.newest_acts import ACTS, Act, Sequences, act_of_row, sequences_of
from offline.training_data.slice_lists import REPLAYED, UserBound, write_slice

SHOWN: Final = 20
"""So many items of a list the user sees: what is liked further down teaches nothing."""


class LearningMethod:
    """The lists of a version, then of those that came of it.

    folder       of the version that it begins with
    work         a folder, made anew, for what is learned
    positives    what is liked of the lists makes a slice, if it is so many
    importances  [rows] what a list counts in training that a row was liked of
    mean         the weight of an act, in units, that has the importance 1
    before       the newest acts before the first row
    """

    def __init__(
        self, folder: Path, work: Path, positives: int, importances: FloatArray, mean: float, before: Iterable[Act] = ()
    ) -> None:
        self._folder = folder
        self._work = work
        work.mkdir(parents=True)
        self._positives = positives
        self._importances, self._mean = importances, mean
        self._acts = deque(before, ACTS)
        self._method = ModelMethod(folder)
        self._query: RankingQuery | None = None
        self._shown: IntArray = np.zeros(0, np.int64)
        self._bound = UserBound()
        self._rows: list[tuple[Any, ...]] = []
        self._learned: list[tuple[Any, ...]] = []
        self.slices = 0

    @property
    def manifest(self) -> Manifest:
        """Of the version whose weights are learned from."""
        return self._method.manifest

    def __call__(self, query: RankingQuery) -> IntArray:
        self._query, self._shown = query, self._method.best(query, SHOWN)
        return self._shown[:TOP]

    def learn(self, row: ProtocolRow, item_row: int) -> None:
        """Take a row as an act, and as a like of the list that was asked for before it, if it was one and the item was shown; the
        weights learn as soon as there are enough likes. Raises Broken where the training diverges."""
        if is_act(row.event[2]):
            self._acts.append(act_of_row(row.number, row.event))
        answer = np.flatnonzero(self._shown == item_row)
        if not row.is_query or not len(answer):
            return
        weight = self._bound.weight(row.user_id, float(self._importances[row.number]))
        if not weight:
            return
        self._rows.append(self._lesson(row, int(answer[0]), weight))
        if len(self._rows) >= self._positives:
            self._learn_slice()

    def _lesson(self, row: ProtocolRow, answer: int, importance: float) -> tuple[Any, ...]:
        """As `offline.training_data.ranking_lists.RANKING_LISTS` has it."""
        assert self._query is not None
        moment, shown = self._query.moment, self._shown
        vocabulary, columns = self.manifest.maps.vocabulary, moment.items.columns
        user = user_vector(moment.user, moment.at, vocabulary, moment.weights, moment.items.schema, moment.tastes)
        signals = signal_matrix(self._query.signals, shown).ravel()
        history = (list(part) for part in history_of(moment.user.recent, moment.at))
        ids = columns.ids[shown].tolist()
        return (row.number, row.user_id, moment.at, *history, user.tolist(), ids, answer, signals.tolist(), importance)

    def _learn_slice(self) -> None:
        from models.learning.one_slice import (  # brings TensorFlow, which `ModelMethod` has prepared
            SliceOptions,
            learn_slice,
        )

        assert self._query is not None
        schema = self._query.moment.items.schema
        folder = self._work / str(self.slices + 1)
        folder.mkdir()
        again, sequences = self._learned[-REPLAYED:], sequences_of(self._acts, schema, self._mean)
        for name, rows, acts in (("new", self._rows, Sequences([], 0)), ("whole", again + self._rows, sequences)):
            write_slice(rows, acts, self.manifest.maps, schema, {}, self._bound, folder / name)
        out = folder / "out"
        out.mkdir()
        options = SliceOptions(
            self.manifest.name, self._folder, folder / "new", folder / "whole", -1, {}, self._work / "nothing live", out
        )
        learn_slice(options, Console(quiet=True))
        self._folder = out / "version"
        self._method = ModelMethod(self._folder)
        self.slices += 1
        self._learned += self._rows
        self._rows, self._bound = [], UserBound()
