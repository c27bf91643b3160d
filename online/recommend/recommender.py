"""One recommendation: the user's freshest features → recall → model inputs → ranking → rules → list, within a deadline.

Degradation ladder: without live features the base's are used; without a model the channels' ranks are weighed together, or a
caller's own candidates stay in the caller's order; without both all comes from memory, which needs no network.
"""

import asyncio
import contextlib
import secrets
import time
from dataclasses import replace
from random import Random

import msgspec
import numpy as np

from features.arrays import BoolArray, FloatArray, IntArray
from features.base.embedding_files import TWOTOWER
from features.contracts.served import MAX_CANDIDATES
from features.errors import Unavailable
from features.float32 import to_json_floats
from features.inputs.columns import ClickWeights
from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.moment import Moment
from features.inputs.released import released
from features.inputs.signals import RECALL_SIGNALS
from features.recall.score_order import by_score
from features.types import Millis
from online.model_client.client import ModelClient
from online.model_client.live_models import LiveModel, LiveModels
from online.query import Query
from online.ranking.features import RequestFeatures
from online.ranking.opponents import Opponent, draw_opponent, draw_shadow
from online.ranking.policy import Policy
from online.ranking.ranker import Models, Ranker, Scored, models_for
from online.ranking.rerank import Slate, diverse, make_slate, moved_by, team_draft
from online.ranking.without_model import fallback_scores
from online.recall import CORE_CHANNELS, PINNED, VECTOR_CHANNELS, Candidates, ChannelRunner, GivenRecall
from online.recommend.hidden_by_policy import drop_hidden
from online.recommend.recommendation import Ranked, Recommendation, Request, ShadowRun
from online.stores.item_store import ItemStore
from online.stores.user_store import UserStore
from online.support.home_clock import HomeClock
from online.support.reloadable_file import ReloadableFile
from online.vectors import UserTower, VectorStore

MIN_RECALL_SECONDS, MIN_RANK_SECONDS = 0.02, 0.02
"""Seconds that recall and ranking always get, even if the deadline is nearly over: mostly it is our own process that stood
still, and then both answer as fast as ever."""
RECALL_SHARE, TOWER_SHARE = 0.5, 0.25
"""Shares of the deadline: the end of recall, and the timeout of the user's vector."""
NO_LIVE_FEATURES, NO_MODEL = "no live features", "no model"
NO_CHANGES = "no changes of items"
"""Those since the base have not been read yet: an item that was deleted or sold out may be shown."""
NO_CHANNEL, LEFT_OUT = "recall channel failed: ", "recall channel left out: "
NOTHING_LIKED = "nothing to learn from yet"
"""No event of the home had a weight above 0: popular is what has the most events."""
NO_OTHER = "model left out: "
GIVEN = "given"
"""The order of a caller's own candidates, which is theirs where no model ranks."""


class Recommender:
    """Makes recommendations from the parts of the API."""

    def __init__(
        self,
        models: LiveModels,
        users: UserStore,
        items: ItemStore,
        client: ModelClient,
        clock: HomeClock,
        weights: ReloadableFile[ClickWeights],
        deadline: float,
        vectors: VectorStore,
        rng: Random | None = None,
    ) -> None:
        self._models = models
        self._users = users
        self._items = items
        self._ranker = Ranker(models, client)
        self._vectors, self._tower = vectors, UserTower(client)
        self._clock = clock
        self._weights = weights
        self._deadline = deadline
        self._rng = rng or Random()

    async def recommend(self, request: Request, waited: float = 0.0) -> Recommendation:
        """Make a list. Never raises for a remote fault: `degraded` names what was missing. waited: seconds of the deadline
        already used."""
        began = time.monotonic() - waited
        policy = request.policy()
        user = await self._users.load_user(request.user_id)
        degraded = [] if user.live else [NO_LIVE_FEATURES]
        if self._items.lacks_changes:
            degraded.append(NO_CHANGES)
        ts = self._clock.now()
        at = ts if request.at is None else request.at
        hidden = {item_id for item_id, until in user.hidden.items() if until > at}
        acted = self._items.rows(list(user.seen | hidden if hidden else user.seen))
        given = None if request.items is None else self._items.rows(list(request.items))
        allowed = self._allowed(acted, given, request, policy, at)
        index = self._items.index
        free = released(user.hidden, at, index.row_of)
        moment = Moment(user.features, at, index, self._weights.value, allowed, acted, free, request.context)
        if moment.standing.is_cold:
            degraded.append(NOTHING_LIKED)
        query = Query(moment, self._items.first_puts.newest(ts), self._vectors.now())
        found = await self._recall(query, given, policy, began)
        degraded += [NO_CHANNEL + name for name in found.failed] + [LEFT_OUT + name for name in found.left_out]
        item_ids = self._items.columns.ids[found.rows]
        models = None if request.model is None else self._models_of(request, request.model, policy)
        features, scored = None, None
        vocabulary: Vocabulary = ()
        if models is not None:
            degraded += [NO_OTHER + name for name in models.missing]
            features = RequestFeatures(query, found.rows, models.inputs)
            left = max(self._deadline * 0.8 - (time.monotonic() - began), MIN_RANK_SECONDS)
            try:
                scored = await self._ranker.rank(models, request.user_id, item_ids, features.under, left)
                scored = self._with_yardstick(models, scored, found.rows, query)
                if models.opponent is None:
                    degraded += [NO_OTHER + name for name in scored.left_out]
            except Unavailable:
                degraded.append(NO_MODEL)
            vocabulary = (models.first if scored is None else scored.model).manifest.maps.vocabulary
        else:
            degraded.append(NO_MODEL)
        orders = query.orders if request.items is None else {GIVEN: found.rows}
        scores = fallback_scores(found.rows, orders) if scored is None else scored.scores
        slate = self._make_slate(policy, found, query.new_items, item_ids, scores, models, scored, request.size)
        shown = np.asarray(slate.candidate_indices, np.int64)
        return Recommendation(
            request_id=secrets.token_hex(16),
            user_id=request.user_id,
            item_ids=item_ids[shown].tolist(),
            item_scores=to_json_floats(scores[shown]),
            ts=ts,
            at=at,
            last_event_ts=user.features.last_ts or None,
            applied_in_ms=user.applied_in_ms,
            model=request.model if scored is None else scored.model,
            degraded=tuple(degraded),
            ranked=Ranked(
                query=query if request.explain else None,
                item_ids=item_ids,
                found=found,
                scores=scores,
                by_model={} if scored is None else scored.by_model,
                slate=slate,
                features=features.shown(vocabulary, shown) if features is not None and request.wants_features else None,
            ),
            arms=request.arms(),
            n=user.n,
            user=request.user,
            context=request.context,
            opponent=models.opponent if models is not None and slate.teams else None,
            shadow=None if scored is None else self._shadow(request, scored.model, query, found.rows, item_ids),
        )

    def _models_of(self, request: Request, model: LiveModel, policy: Policy) -> Models:
        """The models of a list, and now and then whom the stable version is compared with."""
        models = models_for(model, policy, self._models)
        if not request.compares or request.judging is None:
            return models
        opponent = draw_opponent(models.first, self._models, request.judging, self._rng)
        return models if opponent is None else models.against(opponent)

    def _with_yardstick(self, models: Models, scored: Scored, rows: IntArray, query: Query) -> Scored:
        """The scores, with those of the yardstick where that is the opponent."""
        opponent = models.opponent
        if opponent is None or opponent.model is not None:
            return scored
        by_model = scored.by_model | {opponent.name: fallback_scores(rows, query.orders)}
        return replace(scored, by_model=by_model)

    def _shadow(
        self, request: Request, model: LiveModel, query: Query, rows: IntArray, item_ids: IntArray
    ) -> tuple[LiveModel, ShadowRun] | None:
        """Now and then a candidate that is to rank beside a list, and how."""
        if not request.compares or request.judging is None:
            return None
        candidate = draw_shadow(model, self._models, request.judging, self._rng)
        if candidate is None:
            return None

        async def run() -> FloatArray:
            models = Models(candidate, opponent=Opponent(candidate))
            features = RequestFeatures(query, rows, models.inputs)
            scored = await self._ranker.rank(models, request.user_id, item_ids, features.under, self._deadline)
            if scored.model.version != candidate.version:
                raise Unavailable(f"{candidate.with_version} is not served")
            return scored.scores

        return candidate, run

    async def _recall(self, query: Query, given: IntArray | None, policy: Policy, began: float) -> Candidates:
        """The candidates: the rows that are given, or what the channels find."""
        if given is not None:
            query.signals.find(RECALL_SIGNALS)
            return Candidates(given, np.zeros(len(given), np.int64), ())
        seconds = max(MIN_RECALL_SECONDS, began + RECALL_SHARE * self._deadline - time.monotonic())
        timeout = min(TOWER_SHARE * self._deadline, seconds)
        runner = ChannelRunner(query, MAX_CANDIDATES, policy.channels, seconds)
        available = [
            each for each in VECTOR_CHANNELS if each.name in query.vectors and policy.channels.get(each.name) != 0
        ]
        remote = [each for each in available if each.name == TWOTOWER]
        answers = [asyncio.create_task(self._fetch_user_vector(query, timeout)) for _ in remote]
        for _ in range(2 * len(remote)):  # yield twice, so that the call is sent before CPU-bound recall starts
            await asyncio.sleep(0)
        if policy.pin:
            runner.run([GivenRecall(PINNED, self._pinned(query, policy))])
        runner.run(CORE_CHANNELS)
        runner.run([each for each in available if each not in remote])
        await asyncio.gather(*answers)
        runner.run(remote)
        return runner.merged()

    def _pinned(self, query: Query, policy: Policy) -> IntArray:
        """Rows of the pinned items that are allowed; an item that has come since the moment is left to later lists."""
        allowed = query.moment.allowed
        rows = self._items.rows(self._items.inside(policy.pin))
        known: IntArray = rows[rows < len(allowed)]
        pinned: IntArray = known[allowed[known]]
        return pinned

    async def _fetch_user_vector(self, query: Query, timeout: float) -> None:
        """Set the query's user vector; leave it None if none arrives in time."""
        with contextlib.suppress(Unavailable, ValueError):  # the channel then fails, and is listed in `degraded`
            query.user_vector = await self._tower(query.vectors[TWOTOWER], query.moment, timeout)

    def _make_slate(
        self,
        policy: Policy,
        found: Candidates,
        new_items: IntArray,
        item_ids: IntArray,
        scores: FloatArray,
        models: Models | None,
        scored: Scored | None,
        size: int,
    ) -> Slate:
        """The slate: ordered by score or by interleaving, diversified, with the policy's rules applied."""
        if policy.pin or policy.bury:
            pin, bury = self._items.inside(policy.pin), self._items.inside(policy.bury)
            policy = msgspec.structs.replace(policy, pin=tuple(pin), bury=tuple(bury))
        order = by_score(item_ids, scores)
        teams: dict[int, str] = {}
        if models is not None and scored is not None and models.interleaved and len(scored.by_model) == 2:
            pinned, buried = moved_by(policy, item_ids)
            moved = buried.union(pinned)  # they stand where no ranker put them, and are nobody's pick
            orders = [
                [index for index in by_score(item_ids, each).tolist() if index not in moved]
                for each in scored.by_model.values()
            ]
            drafted, teams = team_draft(orders, list(scored.by_model), size - len(pinned), self._rng)
            order = np.array(drafted + [index for index in order.tolist() if index not in teams], np.int64)
        elif policy.diversity and len(item_ids):
            facets = self._items.columns.facets
            order = diverse(order, scores, lambda some: facets.of(found.rows[some]), policy.diversity, size)
        is_new = np.isin(found.rows, new_items) if len(new_items) else None
        return make_slate(policy, item_ids, order, size, self._rng, teams, is_new)

    def _allowed(
        self, acted: IntArray, given: IntArray | None, request: Request, policy: Policy, at: Millis
    ) -> BoolArray:
        """[N] False for items that are not available at a time (ms), that the user's acts hide (`acted`: their rows), the caller
        excludes or the policy hides. Items that the caller asks to rank (`given`: their rows) are always allowed."""
        items, size = self._items, len(self._items)
        allowed = items.showable(at)
        allowed[acted] = False
        if request.exclude:
            allowed[items.rows(list(request.exclude))] = False
        if given is not None:
            allowed[given] = True
            return allowed
        if request.filters:
            allowed &= items.facets.mask(request.filters, size)
        if request.ranges:
            allowed &= items.numbers.mask(request.ranges, size)
        drop_hidden(allowed, items, policy.hide)
        return allowed
