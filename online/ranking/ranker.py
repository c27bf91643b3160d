"""Scores of the candidates: by one model, by several blended, or by two to be interleaved."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from features.arrays import FloatArray, IntArray
from features.errors import Unavailable
from features.inputs.facet_vocabulary import Vocabulary
from features.types import UserId
from online.model_client.client import ModelClient
from online.model_client.live_models import LiveModel, LiveModels
from online.model_client.transport import VersionWithdrawn
from online.ranking.features import RawFeatures, inputs_of
from online.ranking.opponents import Opponent
from online.ranking.policy import Policy
from online.ranking.rerank import rank_shares

MIN_MODEL_SECONDS = 0.005
"""Seconds that the model server always gets, even if the deadline is nearly over."""
FeaturesUnder = Callable[[Vocabulary], RawFeatures]
"""Gives the raw features under a model's vocabulary."""
OPPONENT_SECONDS = 0.03
"""Seconds that a list waits for the scores of an opponent at most: without them it is the stable version's."""
MAX_WITHDRAWN = 2
"""Versions that may be withdrawn during one list; beyond that it is made without a model."""


@dataclass(frozen=True)
class Models:
    """The models of one list. first: the requested one; others: further ones of the policy, with their weights if they are
    blended; missing: names in the policy that are not live."""

    first: LiveModel
    others: tuple[LiveModel, ...] = ()
    weights: tuple[float, ...] = ()
    interleaved: bool = False
    missing: tuple[str, ...] = ()
    opponent: Opponent | None = None
    """Whom `first` is compared with, as the judge has it: interleaved, and named with its version."""

    def against(self, opponent: Opponent) -> "Models":
        """The same list, compared with an opponent."""
        others = () if opponent.model is None else (opponent.model,)
        return Models(self.first, others, interleaved=True, opponent=opponent)

    def key(self, model: LiveModel) -> str:
        """The name under which the scores of a model, or of the version that stood in for it, stand."""
        return model.name if self.opponent is None else model.with_version

    @property
    def inputs(self) -> set[str]:
        return {each.name for model in (self.first, *self.others) for each in model.manifest.inputs}


@dataclass(frozen=True)
class Scored:
    """model: the version that ranked; scores: [n] that order the list; by_model: [n] of each model by name; left_out: further
    models that returned no scores."""

    model: LiveModel
    scores: FloatArray
    by_model: dict[str, FloatArray] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def models_for(model: LiveModel, policy: Policy, live_models: LiveModels) -> Models:
    """The models of a policy; those that are not live are left out and listed as missing."""
    if len(policy.interleave) == 2:
        available = [found for name in policy.interleave if (found := live_models.get(name)) is not None]
        if len(available) == 2:
            return Models(available[0], (available[1],), interleaved=True)
        missing = tuple(name for name in policy.interleave if live_models.get(name) is None)
        return Models(available[0] if available else model, missing=missing)
    wanted = () if policy.model in (None, model.name) else (policy.model,)
    blended = {name: weight for name, weight in policy.blend.items() if name != model.name}
    others = tuple(each for name in blended if (each := live_models.get(name)) is not None)
    missing = tuple(name for name in (*wanted, *blended) if live_models.get(name) is None)
    return Models(model, others, tuple(blended[each.name] for each in others), missing=missing)


class Ranker:
    """Scores candidates: in this process where the version has a session, else by the model server."""

    def __init__(self, live_models: LiveModels, client: ModelClient) -> None:
        self._live_models = live_models
        self._client = client

    async def rank(
        self, models: Models, user_id: UserId, item_ids: IntArray, features: FeaturesUnder, timeout: float
    ) -> Scored:
        """Score the candidates. Raises Unavailable if the first model returns no scores within `timeout` seconds; further models
        that fail are left out."""
        everyone, timeout = (models.first, *models.others), max(MIN_MODEL_SECONDS, timeout)
        short = timeout if models.opponent is None else min(timeout, OPPONENT_SECONDS)
        if len(everyone) == 1:  # most lists: it needs no task of its own
            model, scores = await self._score(models.first, user_id, item_ids, features, timeout)
            return Scored(model, scores, {models.key(model): scores})
        calls = (
            self._score(each, user_id, item_ids, features, timeout if each is models.first else short)
            for each in everyone
        )
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and (answer is answers[0] or not isinstance(answer, Unavailable)):
                raise answer
        weights = (1.0, *models.weights, *[1.0] * len(everyone))
        available = [
            (models.key(answer[0]), weight, answer)
            for weight, answer in zip(weights, answers, strict=False)
            if not isinstance(answer, BaseException)
        ]
        by_model = {name: scores for name, _, (_, scores) in available}
        model, scores = available[0][2]
        if len(available) > 1 and not models.interleaved:
            scores = rank_shares(item_ids, list(by_model.values()), [weight for _, weight, _ in available])
        missing = [each for each, answer in zip(everyone, answers, strict=True) if isinstance(answer, BaseException)]
        left_out = tuple(models.key(each) for each in missing)
        return Scored(model, scores, by_model, left_out)

    async def _score(
        self, model: LiveModel, user_id: UserId, item_ids: IntArray, features: FeaturesUnder, timeout: float
    ) -> tuple[LiveModel, FloatArray]:
        """(the version that scored, its scores): another version if this one has just been withdrawn."""
        until, withdrawn = time.monotonic() + timeout, set[int]()
        while True:
            left = max(MIN_MODEL_SECONDS, until - time.monotonic())
            try:
                return model, await self._scores(model, user_id, item_ids, features, left)
            except VersionWithdrawn:
                withdrawn.add(model.version)
            other = await self._live_models.replacement_for(model.name, withdrawn, until - time.monotonic())
            if other is None or len(withdrawn) > MAX_WITHDRAWN:
                raise Unavailable("no model is ready")
            model = other

    async def _scores(
        self, model: LiveModel, user_id: UserId, item_ids: IntArray, features: FeaturesUnder, timeout: float
    ) -> FloatArray:
        if not len(item_ids):
            return np.zeros(0, np.float32)
        try:
            inputs = inputs_of(model, user_id, item_ids, features(model.manifest.maps.vocabulary))
        except ValueError as error:  # a replacement version may take inputs that were not computed
            raise Unavailable(f"model {model.name} version {model.version}: {error}") from error
        scores = self._live_models.sessions.scores(model.name, model.version, inputs, len(item_ids))
        if scores is not None:
            return scores
        return await self._client.scores(model.name, model.version, inputs, len(item_ids), timeout)
