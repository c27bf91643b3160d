"""Several models for one list: who ranks, who is left out and named, and what happens when one does not answer."""

import asyncio
from typing import Any

import numpy as np
import pytest

from features.errors import Unavailable
from features.inputs import InputMaps
from features.model_inputs import layout
from models.registry import DataSeen, Manifest, ModelInput
from online.policy import Policy
from online.ranking.catalogue import LiveModel
from online.ranking.features import RawFeatures
from online.ranking.ranker import Ranker, models_for

GENRES = ("Action",)
IDS = np.array([7, 8, 9])
RAW = RawFeatures(layout(GENRES), np.zeros((1, 1), np.float32), np.zeros((3, 1), np.float32))


def live(name: str, genres: tuple[str, ...] = GENRES) -> LiveModel:
    inputs = (ModelInput("movieId", "int64"),)
    return LiveModel(
        name, 1, Manifest(name, 1, inputs, InputMaps(genres), 1, ("score",), (), {}, DataSeen(), "", 0, {})
    )


class Catalogue:
    """Has three models, one of another vocabulary."""

    def get(self, name: str) -> LiveModel | None:
        return {"a": live("a"), "b": live("b"), "strange": live("strange", ("Other",))}.get(name)


class Client:
    """`a` likes the first item most, `b` the last; who is named fails."""

    def __init__(self, *failing: str) -> None:
        self._failing = failing

    async def scores(self, name: str, *_: Any) -> Any:
        if name in self._failing:
            raise Unavailable(f"{name} is away")
        return np.array([0.9, 0.5, 0.1] if name == "a" else [1.0, 2.0, 30.0], np.float32)


def rank(policy: Policy, *failing: str) -> Any:
    catalogue: Any = Catalogue()
    client: Any = Client(*failing)
    models = models_for(live("a"), policy, catalogue)
    return models, asyncio.run(Ranker(catalogue, client, GENRES).rank(models, 6, IDS, RAW, 1.0))


def test_one_model_alone() -> None:
    models, scored = rank(Policy())
    assert (models.missing, scored.gone) == ((), ())
    assert scored.scores.tolist() == pytest.approx([0.9, 0.5, 0.1])


def test_a_blend_orders_by_weighted_ranks() -> None:
    _, scored = rank(Policy(blend={"b": 3.0}))
    assert np.argsort(-scored.scores).tolist() == [2, 1, 0]
    assert set(scored.by_model) == {"a", "b"}


def test_who_is_not_there_is_named() -> None:
    assert rank(Policy(model="nope", blend={"never": 1.0}))[0].missing == ("nope", "never")
    assert rank(Policy(interleave=("a", "nope")))[0].missing == ("nope",)


@pytest.mark.parametrize(("partner", "failing"), [("b", ("b",)), ("strange", ())])
def test_a_partner_that_does_not_answer_is_left_out_and_named(partner: str, failing: tuple[str, ...]) -> None:
    _, scored = rank(Policy(blend={partner: 3.0}), *failing)
    assert scored.gone == (partner,)
    assert scored.scores.tolist() == pytest.approx([0.9, 0.5, 0.1])


def test_without_the_first_nothing_ranks() -> None:
    with pytest.raises(Unavailable, match="a is away"):
        rank(Policy(blend={"b": 1.0}), "a")
