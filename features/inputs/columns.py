"""Raw features → model inputs: one pure, vectorised definition for training and serving alike.

Training calls it on features as they stood just before each labelled event, the server on the freshest ones. What depends
on data (vocabulary, normalisation) is an `InputMaps`, computed offline and kept in the model's manifest; how kinds of
click are blended is `ClickWeights`, a settings file that can change without retraining.

Shapes: n candidates (or sample rows), U user columns, I item columns, C cross columns, G values of the vocabulary
(`features.inputs.facet_vocabulary`), which take G + 1 columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np

from features.arrays import DoubleArray, FloatArray, IntArray, smoothed_mean
from features.fold.decay import HALF_LIVES, ONE
from features.fold.state import ItemFeatures, UserFeatures, count_acts
from features.fold.user import is_decade
from features.inputs.compiled_items import fill_items, halve
from features.inputs.compiled_users import blend, in_columns
from features.inputs.facet_table import FacetTable
from features.inputs.facet_vocabulary import Vocabulary
from features.schema.tables import Schema
from features.types import RATING, Item, Millis
from features.units import HOUR_MS, ends_session

USER_COLUMNS: Final = (
    "log_events",
    "log_ratings",
    "mean_rating",
    "std_rating",
    "positive_share",
    "log_hours_since_last",
    "log_session_events",
)
ITEM_COLUMNS: Final = (
    "log_ratings",
    "mean_rating",
    "std_rating",
    "positive_share",
    "log_popularity_1d",
    "log_popularity_14d",
    "log_days_since_first",
    "years_since_release",
)
CROSS_COLUMNS: Final = ("taste_hour", "taste_day", "taste_weeks", "rating_gap")
POPULARITIES: Final = ((1.0, False), (14.0, False), (1.0, True), (14.0, True))
"""The popularities kept of an item: half-life in days, and whether of positives alone."""
LIKED: Final = tuple(at for at, (_, positives) in enumerate(POPULARITIES) if positives)
"""The columns of positives alone."""
CHANGED: Final = 4096
"""Changes that columns remember the rows of."""
UNDATED: Final = -1
"""Stands where nobody has said when an item came out: times begin with 0."""
_FADES: Final = tuple(1 / half_life for half_life, positives in POPULARITIES if not positives)
"""Halvings a day, of each half-life of POPULARITIES, which has them for events first, then for positives."""


class ClickWeights(msgspec.Struct, frozen=True):
    """The weight of each kind of act in a taste."""

    click: float = 0.3
    positive: float = 1.0
    negative: float = -0.5


class ItemColumns:
    """Features of n items as columns: one row an item, updated in place; what `item_matrix` reads."""

    def __init__(self, size: int) -> None:
        self.ids: IntArray = np.zeros(size, np.int64)
        self.sums: DoubleArray = np.zeros((size, 6), np.float64)  # ratings, sum, squares, positives, events, first ts
        self.newest_day: IntArray = np.zeros(size, np.int64)
        self.popularities: DoubleArray = np.zeros((size, len(POPULARITIES)), np.float64)  # as of the newest day
        self.facets = FacetTable(size)
        self.years: IntArray = np.zeros(size, np.int64)
        self.dated: IntArray = np.full(
            size, UNDATED, np.int64
        )  # when it came out, ms, where the schema counts no years
        self.changes = 0
        """Rises with each change of a row."""
        self._changed: IntArray = np.zeros(CHANGED, np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    def grow(self, more: int) -> None:
        """Add room for `more` rows."""
        for name in ("ids", "sums", "newest_day", "popularities", "years"):
            old = getattr(self, name)
            new = np.zeros((len(old) + more, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self.dated = np.concatenate([self.dated, np.full(more, UNDATED, np.int64)])
        self.facets.grow(more)

    def _note(self, row: int) -> None:
        self._changed[self.changes % CHANGED] = row
        self.changes += 1

    def changed_since(self, changes: int) -> IntArray | None:
        """The rows that have changed since there were so many `changes`, each once; None where that is too long ago to say."""
        more = self.changes - changes
        if more > CHANGED:
            return None
        if not more:
            return np.zeros(0, np.int64)
        rows: IntArray = np.unique(self._changed[np.arange(changes, self.changes) % CHANGED])
        return rows

    def set_item(self, row: int, item_id: int, item: Item | None, dated: Millis = UNDATED) -> None:
        """Set an item's columns from the catalogue (None: it has no entry). dated: as in `dated`."""
        self._note(row)
        self.ids[row] = item_id
        self.years[row] = 0 if item is None else item.year
        self.dated[row] = dated
        self.facets.put(row, () if item is None else item.labels)

    def set_features(self, row: int, features: ItemFeatures, unit: int) -> None:
        """Set an item's columns from its streamed features. unit: the schema's."""
        self._note(row)
        self.sums[row] = (
            features.counts[RATING],
            features.rating_sum / 100,
            features.rating_sq / 10_000,
            features.positives / unit,
            count_acts(features.counts),
            features.first_ts,
        )
        self.popularities[row] = 0
        if features.days:
            table = np.asarray(features.days, np.int64)
            self.newest_day[row] = newest = table[-1, 0]
            faded = np.exp2(np.multiply.outer(_FADES, table[:, 0] - newest)) @ table[:, 3:5]
            faded[:, 1] /= unit
            self.popularities[row] = faded.T.ravel()  # events, then positives


def popularity(
    columns: ItemColumns, rows: IntArray | slice, at: IntArray | int, half_life_days: float, positives: bool = False
) -> FloatArray:
    """[n] events (or positives) a row, each halved every `half_life_days` up to `at` (ms; one for all or one a row). An `at`
    before an item's newest day does not decay it. Raises ValueError for a kind that POPULARITIES does not have."""
    counts = columns.popularities[rows, POPULARITIES.index((half_life_days, positives))]
    at = np.atleast_1d(np.asarray(at, np.int64))
    return halve(np.ascontiguousarray(counts), np.ascontiguousarray(columns.newest_day[rows]), at, half_life_days)


def trending(day: FloatArray, weeks: FloatArray) -> FloatArray:
    """The excess of the last day over an item's usual day, in standard deviations of a count; `day` and `weeks` are events
    halved every day and every 14 days, so that a steady item has 14 times as many weeks as day."""
    usual = weeks / 14
    return np.asarray((day - usual) / np.sqrt(usual + 1), np.float32)


def item_matrix(columns: ItemColumns, rows: IntArray, at: IntArray | int, vocabulary: Vocabulary) -> FloatArray:
    """[n, I + G + 1] raw item columns as they stand at `at`, then 0 or 1 for each value of the vocabulary, and for any other."""
    out = np.zeros((len(rows), len(ITEM_COLUMNS) + len(vocabulary) + 1), np.float32)
    fill_items(
        out,
        np.ascontiguousarray(rows),
        np.atleast_1d(np.asarray(at, np.int64)),
        columns.sums,
        columns.newest_day,
        columns.popularities,
        POPULARITIES.index((1.0, False)),
        POPULARITIES.index((14.0, False)),
        columns.years,
        *columns.facets.runs,
        columns.facets.columns_of(vocabulary),
    )
    return out


@dataclass(frozen=True)
class Tastes:
    """A user's tastes at a time.

    names   [K] the facet values that the user has touched, in alphabetical order
    values  [3, K] by half-life (hour, day, weeks): the value's decayed weight over all weights of that half-life, from −1 to 1
    """

    names: tuple[str, ...]
    values: FloatArray

    def under(self, vocabulary: Vocabulary) -> FloatArray:
        """[3, G + 1] for each value of a vocabulary, then the sum of all others."""
        column_of, others = _column_of(vocabulary), len(vocabulary)
        columns = np.array([column_of.get(name, others) for name in self.names], np.int64)
        return in_columns(self.values, columns, others + 1)


@lru_cache(maxsize=16)
def _column_of(vocabulary: Vocabulary) -> dict[str, int]:
    return {name: at for at, name in enumerate(vocabulary)}


def tastes(features: UserFeatures, at: int, weights: ClickWeights, schema: Schema) -> Tastes:
    """Blended, normalised tastes as they stand at `at`; decades, of a schema whose items count by them, are no facet values."""
    by_decade = schema.items.era is not None
    names = tuple(sorted(name for name in features.tastes if not (by_decade and is_decade(name))))
    stored = np.array([features.tastes[name] for name in names], np.int64).reshape(len(names), 10)
    kinds = np.array((weights.click, weights.positive, weights.negative), np.float64)
    return Tastes(names, blend(stored, fades(features, at), kinds))


def user_vector(
    features: UserFeatures,
    at: int,
    vocabulary: Vocabulary,
    weights: ClickWeights,
    schema: Schema,
    liking: Tastes | None = None,
) -> FloatArray:
    """[U + 3(G + 1)] raw user columns at `at`, then the tastes under a vocabulary by half-life: hour, day, weeks. `liking` is
    what `tastes` gives, for who has it already."""
    events = count_acts(features.counts)
    ratings = features.counts[RATING]
    total, squares = features.rating_sum / 100, features.rating_sq / 10_000
    mean = smoothed_mean(total, float(ratings))
    spread = max(squares / ratings - (total / ratings) ** 2, 0) ** 0.5 if ratings else 0.0
    hours = max(at - features.last_ts, 0) / HOUR_MS if features.last_ts else 24 * 365.0
    own = np.array(
        (
            np.log1p(max(events, 0)),
            np.log1p(max(ratings, 0)),
            mean,
            spread,
            (features.positives / schema.unit + 1) / (max(events, 0) + 2),
            np.log1p(hours),
            np.log1p(0 if ends_session(at - features.session[1]) else features.session[2]),
        ),
        np.float32,
    )
    liking = tastes(features, at, weights, schema) if liking is None else liking
    return np.concatenate([own, liking.under(vocabulary).ravel()])


def fades(features: UserFeatures, at: int) -> DoubleArray:
    """[3] what makes events, as they stand at `at`, of a user's stored weights, for each half-life. An `at` before the
    user's newest event applies no decay."""
    when = max(at, features.last_ts)
    ages = [when / half_life - epoch for half_life, epoch in zip(HALF_LIVES, features.epochs, strict=True)]
    return np.asarray(np.exp2(-np.asarray(ages)) / ONE, np.float64)


def cross_matrix(users: FloatArray, items: FloatArray) -> FloatArray:
    """[n, C] columns of user and item together, from raw user rows [n or 1, U + 3(G + 1)] and raw item rows [n, I + G + 1]."""
    facets = items[:, len(ITEM_COLUMNS) :]
    width = facets.shape[1]
    per_item = facets / np.maximum(facets.sum(axis=1, keepdims=True), 1)
    taste = users[:, len(USER_COLUMNS) :].reshape(len(users), 3, width)
    liking = np.einsum("nhg,ng->nh", np.broadcast_to(taste, (len(items), 3, width)), per_item)
    gap = items[:, ITEM_COLUMNS.index("mean_rating")] - users[:, USER_COLUMNS.index("mean_rating")]
    both = np.concatenate([liking, np.broadcast_to(gap, (len(items),))[:, None]], axis=1)
    return np.asarray(both, np.float32)


def normalise(values: FloatArray, mean: Sequence[float], std: Sequence[float]) -> FloatArray:
    """(values − mean) / std, clipped to ±5. A column without a spread is 0, whatever it holds: a model that never saw it vary,
    as the bucket of other values where there were none, has learned nothing of it. Raises ValueError where the columns are not
    those of the maps."""
    if values.shape[1] != len(mean):
        raise ValueError(f"expected {len(mean)} columns, got {values.shape[1]}: model and features do not fit")
    spread = np.asarray(std, np.float32)
    scaled = (values - np.asarray(mean, np.float32)) / np.where(spread > 0, spread, np.float32(np.inf))
    return np.asarray(np.clip(scaled, -5, 5), np.float32)
