"""Raw features of one request: computed once a vocabulary, mapped to every model's inputs, and logged as they were."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from features.arrays import AnyArray, FloatArray, IntArray
from features.inputs.columns import cross_matrix, item_matrix, user_vector
from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.history import history_of
from features.inputs.input_maps import HISTORY_INPUTS
from features.inputs.model_inputs import RawInputs, layout, model_inputs
from features.inputs.signals import signal_matrix
from features.types import UserId
from online.model_client.live_models import LiveModel
from online.query import Query


@dataclass(frozen=True)
class RawFeatures:
    """Features of one user and n items, under one vocabulary.

    layout   digest of the columns' meaning
    user     [1, U + 3(G + 1)]; [1, 0] where no model takes it
    items    [n, I + G + 1], a row for each item; [n, 0] where no model takes them
    cross    [n, C]
    history  (items [L], marks [L], gaps [L + 1])
    signals  [n, S]

    The last three are None where no model takes them.
    """

    layout: str
    user: FloatArray
    items: FloatArray
    cross: FloatArray | None = None
    history: tuple[IntArray, IntArray, IntArray] | None = None
    signals: FloatArray | None = None

    @property
    def nbytes(self) -> int:
        parts = (self.user, self.items, self.cross, *(self.history or ()), self.signals)
        return sum(each.nbytes for each in parts if each is not None)


class RequestFeatures:
    """Features of the user and of the items at `rows` of the store, at the query's time. names: the inputs that the models take.

    Each model has its own vocabulary: what depends on it is made once for each of them, the rest once.
    """

    def __init__(self, query: Query, rows: IntArray, names: Collection[str]) -> None:
        moment = query.moment
        self._moment, self._rows, self._names = moment, rows, frozenset(names)
        self._history = history_of(moment.user.recent, moment.at) if set(HISTORY_INPUTS) & self._names else None
        self._signals = signal_matrix(query.signals, rows) if "signals" in self._names else None
        self._made: dict[Vocabulary, RawFeatures] = {}

    def under(self, vocabulary: Vocabulary) -> RawFeatures:
        """The features under a vocabulary, as far as the models take them."""
        if vocabulary not in self._made:
            self._made[vocabulary] = self._make(vocabulary)
        return self._made[vocabulary]

    def shown(self, vocabulary: Vocabulary, indices: IntArray) -> RawFeatures:
        """All features of the items at these indices alone, to be logged: as models took them, the others as they are now."""
        raw, columns = self.under(vocabulary), self._moment.items.columns
        user, items = raw.user, raw.items[indices]
        if not user.shape[1]:
            user = self._user(vocabulary)
        if not items.shape[1]:
            items = item_matrix(columns, self._rows[indices], self._moment.at, vocabulary)
        cross = None if raw.cross is None else raw.cross[indices]
        signals = None if raw.signals is None else raw.signals[indices]
        return replace(raw, user=user, items=items, cross=cross, signals=signals)

    def _make(self, vocabulary: Vocabulary) -> RawFeatures:
        moment, schema = self._moment, self._moment.items.schema
        user, items = np.zeros((1, 0), np.float32), np.zeros((len(self._rows), 0), np.float32)
        if self._names & {"user", "cross"}:
            user = self._user(vocabulary)
        if self._names & {"item", "cross"}:
            items = item_matrix(moment.items.columns, self._rows, moment.at, vocabulary)
        cross = cross_matrix(user, items) if "cross" in self._names else None
        return RawFeatures(layout(vocabulary, schema.digest), user, items, cross, self._history, self._signals)

    def _user(self, vocabulary: Vocabulary) -> FloatArray:
        """[1, U + 3(G + 1)] the user's columns."""
        moment = self._moment
        schema = moment.items.schema
        return user_vector(moment.user, moment.at, vocabulary, moment.weights, schema, moment.tastes)[None]


def inputs_of(model: LiveModel, user_id: UserId, item_ids: IntArray, raw: RawFeatures) -> dict[str, AnyArray]:
    """Inputs of a model: one row per item, or one for all where the model takes that. Raises ValueError if its columns differ
    from these."""
    names = [each.name for each in model.manifest.inputs]
    shared = [each.name for each in model.manifest.inputs if each.shared]
    users = np.array([user_id], np.int64)
    made = RawInputs(users, raw.user, item_ids, raw.items, raw.cross, raw.history, raw.signals)
    return model_inputs(names, model.manifest.maps, made, shared, model.manifest.width_of("signals"))
