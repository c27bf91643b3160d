"""Whom the version that ranks is compared with, list by list.

In a share of lists that `serving.json` gives (`judge`) the stable version is interleaved with another ranker: a candidate on
trial, the version that ranked before, or the yardstick, which needs no model. Another share has a candidate rank beside, unseen.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from features.contracts.scores import YARDSTICK
from models.registry import CANDIDATE, LAST_GOOD
from online.model_client.live_models import LiveModel, LiveModels
from online.ranking.policy import Judging, Policy

SHADOW: Final = "shadow"


@dataclass(frozen=True)
class Opponent:
    """A ranker that a list is shared with. model: None is the yardstick."""

    model: LiveModel | None = None

    @property
    def name(self) -> str:
        return YARDSTICK if self.model is None else self.model.with_version


def may_be_compared(policy: Policy) -> bool:
    """Whether lists of a policy are ranked by one model alone."""
    return not policy.blend and not policy.interleave


def draw_opponent(model: LiveModel, live_models: LiveModels, judging: Judging, rng: Random) -> Opponent | None:
    """The opponent of one list; None of most, and of all while another version than the stable one ranks."""
    labels = live_models.labels(model.name)
    if labels is None or labels.stable != model.version:
        return None
    candidate = live_models.labelled(model.name, CANDIDATE) if labels.phase == "trial" else None
    last_good = live_models.labelled(model.name, LAST_GOOD)
    standing = judging.holdback / 2 if labels.proved else judging.trial
    shares = [(Opponent(), standing)]
    if last_good is not None:
        shares.append((Opponent(last_good), standing))
    if candidate is not None:
        shares.append((Opponent(candidate), judging.trial))
    draw = rng.random()
    for opponent, share in shares:
        draw -= share
        if draw < 0:
            return opponent
    return None


def draw_shadow(model: LiveModel, live_models: LiveModels, judging: Judging, rng: Random) -> LiveModel | None:
    """The candidate that ranks beside one list; None of most lists, and where none is to."""
    labels = live_models.labels(model.name)
    if labels is None or labels.phase != SHADOW or rng.random() >= judging.shadow:
        return None
    return live_models.labelled(model.name, CANDIDATE)
