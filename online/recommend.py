"""One recommendation: the user's freshest features → recall → model inputs → ranking → list, within a deadline.

The ladder when things break, each rung a good answer: no live features (the base's), no model (recall order and popularity
rank), down to popularity from memory, which needs no network at all.
"""

import time
import uuid
from dataclasses import dataclass

import numpy as np

from features.errors import Unavailable
from features.inputs import Floats, Ints, item_matrix, model_inputs, user_vector
from features.words import ItemId, UserId
from online.clock import HomeClock
from online.items import ItemStore
from online.ranking.catalogue import LiveModel, ModelCatalogue
from online.ranking.client import ModelClient, VersionGone
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
class Recommendation:
    request_id: str
    items: list[Shown]
    user: LiveUser
    at: int
    model: LiveModel | None
    degraded: tuple[str, ...]


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
        at = self._clock.now() if request.at is None else request.at
        query = Query(user.features, at, self._items, self._weights.weights, self._allowed(user, request))
        found = merge(CHANNELS, query, CANDIDATES)
        degraded += [NO_CHANNEL + name for name in found.failed]
        left = self._deadline * 0.8 - (time.monotonic() - began)
        model = request.model
        try:
            try:
                scores = await self._rank(model, request, query, found.rows, left)
            except VersionGone:
                model = None if model is None else self._models.before(model)
                scores = await self._rank(model, request, query, found.rows, left)
        except Unavailable:
            scores = self._fallback_scores(found)
            degraded.append(NO_MODEL)
        order = np.lexsort((self._items.columns.ids[found.rows], -scores))[: request.size]
        shown = [self._show(int(found.rows[place]), float(scores[place]), found) for place in order]
        return Recommendation(uuid.uuid4().hex, shown, user, at, model, tuple(degraded))

    def _allowed(self, user: LiveUser, request: Request) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        allowed = np.ones(len(self._items), bool)
        allowed[self._items.rows(list(user.seen | request.exclude))] = False
        if request.genre is not None:
            column = self._items.genres.index(request.genre)
            allowed &= self._items.columns.genres[: len(allowed), column] > 0
        return allowed

    async def _rank(self, model: LiveModel | None, request: Request, query: Query, rows: Ints, within: float) -> Floats:
        if model is None:
            raise Unavailable("no model is ready")
        if not len(rows):
            return np.zeros(0, np.float32)
        manifest = model.manifest
        genres = manifest.maps.genres
        if genres != self._items.genres:
            raise Unavailable("the model was trained on another genre vocabulary than this catalogue's")
        users = user_vector(query.user, query.at, genres, query.weights)[None]
        items = item_matrix(self._items.columns, rows, query.at)
        inputs = model_inputs(
            [each.name for each in manifest.inputs],
            manifest.maps,
            np.array([request.user_id], np.int64),
            users,
            self._items.columns.ids[rows],
            items,
        )
        return await self._client.scores(model.name, model.version, inputs, len(rows), max(0.005, within))

    def _fallback_scores(self, found: Candidates) -> Floats:
        """Without a model: found by more channels first, then in the order in which recall gave them; from 0 to 1."""
        count = len(found.rows)
        votes = np.array([len(found.channels[row]) for row in found.rows.tolist()], np.float32)
        place = np.arange(count, dtype=np.float32)
        return np.asarray((votes - place / max(count, 1)) / (len(CHANNELS) + 1), np.float32)

    def _show(self, row: int, score: float, found: Candidates) -> Shown:
        item_id = int(self._items.columns.ids[row])
        item = self._items.catalogue.get(item_id)
        channels = tuple(found.channels[row])
        if item is None:
            return Shown(item_id, f"Item {item_id}", (), 0, score, channels)
        return Shown(item_id, item.title, item.genres, item.year, score, channels)
