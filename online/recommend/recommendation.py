"""A request for a list, and the list that comes of it with how it was made."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import msgspec

from features.arrays import FloatArray, IntArray
from features.contracts.served import ContextValue
from features.types import ItemId, UserId
from online.model_client.live_models import LiveModel
from online.query import Query
from online.ranking.features import RawFeatures
from online.ranking.opponents import Opponent, may_be_compared
from online.ranking.policy import Chosen, Judging, Policy
from online.ranking.rerank import Slate
from online.recall import Candidates
from online.stores.facets import Filter
from online.stores.number_columns import Range


@dataclass(frozen=True)
class Request:
    """One request for a list.

    user     the user's id outside where it is a string, else "" (`features.ids`)
    model    the model that ranks; None if none is trained
    chosen   the user's policy and arms
    judging  how versions are compared; None: this list compares none
    named    the caller has named the model: it alone ranks, and the list is in no experiment
    items    rank these, seen or not, instead of recalled candidates
    filters  (facet, value): only items that have, of each facet named, one of its values
    ranges   only items whose numbers lie within all of them
    context  what the request says of its circumstances
    explain  keep the query for `online.recommend.explain`: it is as large as the catalogue
    """

    user_id: UserId
    model: LiveModel | None
    size: int
    at: int | None = None
    filters: tuple[Filter, ...] = ()
    exclude: frozenset[ItemId] = frozenset()
    chosen: Chosen = field(default_factory=lambda: Chosen(Policy(), {}, Policy()))
    named: bool = False
    items: tuple[ItemId, ...] | None = None
    explain: bool = False
    user: str = ""
    ranges: tuple[Range, ...] = ()
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    judging: Judging | None = None

    @property
    def compares(self) -> bool:
        """Whether versions of the model may be compared in this list."""
        return self.judging is not None and not self.named and self.items is None and may_be_compared(self.policy())

    @property
    def wants_features(self) -> bool:
        """Whether the features of its items are wanted, for the log or to explain it. A caller's own candidates are not logged:
        what becomes of them is the caller's."""
        return self.items is None or self.explain

    def policy(self) -> Policy:
        """The policy of this list."""
        if self.named:
            return msgspec.structs.replace(self.chosen.plain, model=None, blend={}, interleave=())
        return self.chosen.policy

    def arms(self) -> Mapping[str, str]:
        """Experiment → the arm that this list counts for."""
        return {} if self.named else self.chosen.arms


class Shown(NamedTuple):
    """An item of a list.

    candidate_index  among the candidates
    propensity       see `online.ranking.rerank.Slate`
    team             the model that picked it, if interleaved
    """

    item_id: ItemId
    score: float
    channels: tuple[str, ...]
    candidate_index: int
    propensity: float = 1.0
    team: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """How a list was made.

    query     None unless the list is to be explained
    item_ids  [n] of the candidates
    scores    [n] that order the list
    by_model  [n] scores of each model by name
    features  of the shown items, in the list's order; None without a model
    """

    query: Query | None
    item_ids: IntArray
    found: Candidates
    scores: FloatArray
    by_model: Mapping[str, FloatArray]
    slate: Slate
    features: RawFeatures | None


ShadowRun = Callable[[], Coroutine[None, None, FloatArray]]
"""Gives the scores, [n], of a candidate that shows nothing. Raises Unavailable."""


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """A list, and how it was made.

    item_ids       of the items, best first
    item_scores    of the items, in the list's order
    ts             the home's clock when the list was made, ms
    at             the time that features were decayed to, ms
    user           the user's id outside where it is a string, else ""
    last_event_ts, applied_in_ms, n  of the user: see `online.stores.user_store.LiveUser`
    arms           experiment → the arm that made the list
    context        of the request
    opponent       whom `model` was interleaved with to be compared, if it was
    shadow         the candidate that is to rank beside this list, and how
    """

    request_id: str
    user_id: UserId
    item_ids: list[ItemId]
    item_scores: list[float]
    ts: int
    at: int
    last_event_ts: int | None
    applied_in_ms: int | None
    model: LiveModel | None
    degraded: tuple[str, ...]
    ranked: Ranked
    arms: Mapping[str, str] = field(default_factory=dict)
    n: int | None = None
    user: str = ""
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    opponent: Opponent | None = None
    shadow: tuple[LiveModel, ShadowRun] | None = None

    @cached_property
    def found_by(self) -> list[int]:
        """What channels found each item of the list, as `Candidates.found_by`."""
        found_by: list[int] = self.ranked.found.found_by[self.ranked.slate.candidate_indices].tolist()
        return found_by

    @property
    def teams(self) -> dict[ItemId, str]:
        """The models that picked the items of an interleaved list; nothing of another."""
        item_id_of = dict(zip(self.ranked.slate.candidate_indices, self.item_ids, strict=True))
        return {item_id_of[index]: team for index, team in self.ranked.slate.teams.items()}

    @cached_property
    def items(self) -> list[Shown]:
        """All of each item of the list, best first. Most answers do without: of a list of 100 it takes .05 ms."""
        slate, found = self.ranked.slate, self.ranked.found
        columns = self.item_ids, self.item_scores, self.found_by, slate.candidate_indices, slate.propensities
        return [
            Shown(item_id, score, found.channels(mask), index, propensity, slate.teams.get(index))
            for item_id, score, mask, index, propensity in zip(*columns, strict=True)
        ]
