"""One recommendation: the user's freshest features → recall → model inputs → ranking → list, within a deadline.

The ladder when things break, each rung a good answer: no live features (the base's), no model (recall order and popularity
rank), down to popularity from memory, which needs no network at all.
"""

import time
import uuid
from dataclasses import dataclass

import numpy as np

from features.errors import Unavailable
from features.inputs import Floats, Ints
from features.signals import Moment
from features.words import ItemId, UserId
from online.clock import HomeClock
from online.items import ItemStore
from online.ranking.catalogue import LiveModel, ModelCatalogue
from online.ranking.client import ModelClient, VersionGone
from online.ranking.features import RawFeatures, inputs_of, raw_features
from online.recall import CHANNELS, Candidates, Query, merge
from online.settings import WeightsFile
from online.users import LiveUser, UserStore

CANDIDATES = 300
NO_LIVE_FEATURES, NO_MODEL, NO_CHANNEL = "no live features", "no model", "recall channel failed: "


@dataclass(frozen=True)
class Request:
    """What a caller asks for."""

    user_id: UserId
    model: LiveModel | None
    size: int
    at: int | None = None
    genre: str | None = None
    exclude: frozenset[ItemId] = frozenset()


@dataclass(frozen=True)
class Shown:
    item_id: ItemId
    title: str
    genres: tuple[str, ...]
    year: int
    score: float
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Ranked:
    """How the list came about: the n candidates [n], what each was ranked by [n], and the features of the shown items, in
    the list's order (None where no model was there to take any)."""

    item_ids: Ints
    found: Candidates
    scores: Floats
    features: RawFeatures | None


@dataclass(frozen=True)
class Recommendation:
    """
    ts             the home's clock when the list was made, ms
    at             the time that features were decayed to, ms
    last_event_ts, applied_in_ms  of the user: see `online.users.LiveUser`
    """

    request_id: str
    user_id: UserId
    items: list[Shown]
    ts: int
    at: int
    last_event_ts: int | None
    applied_in_ms: int | None
    model: LiveModel | None
    degraded: tuple[str, ...]
    ranked: Ranked


class Recommender:
    """Everything that one recommendation needs, wired once."""

    def __init__(
        self,
        models: ModelCatalogue,
        users: UserStore,
        items: ItemStore,
        client: ModelClient,
        clock: HomeClock,
        weights: WeightsFile,
        deadline: float,
    ) -> None:
        self._models = models
        self._users = users
        self._items = items
        self._client = client
        self._clock = clock
        self._weights = weights
        self._deadline = deadline

    async def recommend(self, request: Request) -> Recommendation:
        """Never raises for a remote fault; `degraded` says what was missing."""
        began = time.monotonic()
        user = await self._users.get(request.user_id)
        degraded = [] if user.live else [NO_LIVE_FEATURES]
        ts = self._clock.now()
        at = ts if request.at is None else request.at
        moment = Moment(user.features, at, self._items.index, self._weights.weights, self._allowed(user, request))
        query = Query(moment)
        found = merge(CHANNELS, query, CANDIDATES)
        degraded += [NO_CHANNEL + name for name in found.failed]
        left = self._deadline * 0.8 - (time.monotonic() - began)
        model, raw = request.model, None
        item_ids = self._items.columns.ids[found.rows]
        try:
            if model is None:
                raise Unavailable("no model is ready")
            raw = raw_features(query, found.rows, [each.name for each in model.manifest.inputs])
            try:
                scores = await self._rank(model, request.user_id, item_ids, raw, left)
            except VersionGone:
                model = self._models.before(model)
                scores = await self._rank(model, request.user_id, item_ids, raw, left)
        except Unavailable:
            scores = fallback_scores(found)
            degraded.append(NO_MODEL)
        order = np.lexsort((item_ids, -scores))[: request.size]
        return Recommendation(
            uuid.uuid4().hex,
            request.user_id,
            [self._show(int(item_ids[place]), float(scores[place]), found.channels(place)) for place in order.tolist()],
            ts,
            at,
            user.features.last_ts or None,
            user.applied_in_ms,
            model,
            tuple(degraded),
            Ranked(item_ids, found, scores, None if raw is None else raw.of(order)),
        )

    def _allowed(self, user: LiveUser, request: Request) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        allowed = np.ones(len(self._items), bool)
        allowed[self._items.rows(list(user.seen | request.exclude))] = False
        if request.genre is not None:
            column = self._items.genres.index(request.genre)
            allowed &= self._items.columns.genres[: len(allowed), column] > 0
        return allowed

    async def _rank(
        self, model: LiveModel | None, user_id: UserId, item_ids: Ints, raw: RawFeatures, within: float
    ) -> Floats:
        if model is None:
            raise Unavailable("no model is ready")
        if not len(item_ids):
            return np.zeros(0, np.float32)
        if model.manifest.maps.genres != self._items.genres:
            raise Unavailable("the model was trained on another genre vocabulary than this catalogue's")
        inputs = inputs_of(model, user_id, item_ids, raw)
        return await self._client.scores(model.name, model.version, inputs, len(item_ids), max(0.005, within))

    def _show(self, item_id: ItemId, score: float, channels: tuple[str, ...]) -> Shown:
        item = self._items.catalogue.get(item_id)
        if item is None:
            return Shown(item_id, f"Item {item_id}", (), 0, score, channels)
        return Shown(item_id, item.title, item.genres, item.year, score, channels)


def fallback_scores(found: Candidates) -> Floats:
    """[n] without a model: found by more channels first, then in the order in which recall gave them; from 0 to 1."""
    count = len(found.rows)
    place = np.arange(count, dtype=np.float32)
    return np.asarray((found.votes() - place / max(count, 1)) / (len(found.names) + 1), np.float32)
