"""Features as one request ranks with them: made once, then turned into any model's inputs, and logged as they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.inputs import Floats, Ints, cross_matrix, item_matrix, layout, model_inputs, user_vector
from features.words import UserId
from online.ranking.catalogue import LiveModel
from online.recall import Query


@dataclass(frozen=True)
class RawFeatures:
    """
    layout  digest of what the columns mean
    user    [1, U + 3G]
    items   [n, I + G], a row for each item
    cross   [n, C], or None where no model has asked for it
    """

    layout: str
    user: Floats
    items: Floats
    cross: Floats | None

    def of(self, places: Ints) -> "RawFeatures":
        """The same for the items at these places alone."""
        return RawFeatures(
            self.layout, self.user, self.items[places], None if self.cross is None else self.cross[places]
        )

    @property
    def nbytes(self) -> int:
        return self.user.nbytes + self.items.nbytes + (0 if self.cross is None else self.cross.nbytes)


def raw_features(query: Query, rows: Ints, names: Sequence[str]) -> RawFeatures:
    """Features of the user and of the items at `rows` of the store, as they stand at `query.at`; `names`: the inputs that a
    model takes."""
    genres = query.items.genres
    user = user_vector(query.user, query.at, genres, query.weights)[None]
    items = item_matrix(query.items.columns, rows, query.at)
    return RawFeatures(layout(genres), user, items, cross_matrix(user, items) if "cross" in names else None)


def inputs_of(model: LiveModel, user_id: UserId, item_ids: Ints, raw: RawFeatures) -> dict[str, npt.NDArray[Any]]:
    """What a model is asked with, one row an item. Raises ValueError where its columns are not these."""
    names = [each.name for each in model.manifest.inputs]
    users = np.array([user_id], np.int64)
    return model_inputs(names, model.manifest.maps, users, raw.user, item_ids, raw.items, raw.cross)
