"""Ranking by several models: which one ranks, which are left out and named, and what happens when one fails."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.errors import Unavailable
from features.inputs.facet_vocabulary import Vocabulary
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import layout, width_of
from models.registry import DataSeen, Manifest, ModelInput
from online.model_client.in_process import LocalSessions
from online.model_client.live_models import LiveModel
from online.model_client.transport import VersionWithdrawn
from online.ranking.features import RawFeatures, inputs_of
from online.ranking.policy import Policy
from online.ranking.ranker import Ranker, models_for
from tests.schemas import MOVIES

GENRES = ("Action",)
IDS = np.array([7, 8, 9])


def under(vocabulary: Vocabulary) -> RawFeatures:
    """Item columns alone, 0 but for the last, which is 1."""
    items = np.zeros((3, width_of("item", vocabulary)), np.float32)
    items[:, -1] = 1
    return RawFeatures(layout(vocabulary, MOVIES.digest), np.zeros((1, 1), np.float32), items)


def live(name: str, vocabulary: Vocabulary = GENRES, version: int = 1, takes: str = "movieId") -> LiveModel:
    width = width_of(takes, vocabulary)
    inputs = (ModelInput(takes, "int64" if takes == "movieId" else "float32", width),)
    maps = InputMaps(vocabulary, item_mean=(0.0,) * width, item_std=(1.0,) * width)
    return LiveModel(name, version, Manifest(name, version, inputs, maps, 1, ("score",), (), {}, DataSeen(), "", 0, {}))


WIDER: Vocabulary = ("Action", "Other", "Western")


class Catalogue:
    """Has four models, two of another vocabulary; one takes what was not made ready. None ranks in this process."""

    sessions = LocalSessions(Path("/nonexistent"))

    def get(self, name: str) -> LiveModel | None:
        models = {
            "a": live("a"),
            "b": live("b"),
            "wider": live("wider", WIDER, takes="item"),
            "strange": live("strange", takes="signals"),
        }
        return models.get(name)

    async def replacement_for(self, name: str, withdrawn: set[int], timeout: float) -> LiveModel | None:
        """`a` has three versions; the first takes what was not made ready."""
        before = {3: live("a", version=2), 2: live("a", version=1, takes="signals")}
        return before.get(min(withdrawn)) if name == "a" else None


class Client:
    """`a` likes the first item most, `b` the last; who is named fails."""

    def __init__(self, *failing: str, withdrawn: int = 99) -> None:
        self._failing, self._gone = failing, withdrawn
        self.given: dict[str, Any] = {}

    async def scores(self, name: str, version: int, inputs: Any, *_: Any) -> Any:
        self.given[name] = inputs
        if version >= self._gone:
            raise VersionWithdrawn(f"{name} {version}")
        if name in self._failing:
            raise Unavailable(f"{name} is away")
        return np.array([0.9, 0.5, 0.1] if name == "a" else [1.0, 2.0, 30.0], np.float32)


def rank(policy: Policy, *failing: str) -> Any:
    live_models: Any = Catalogue()
    client: Any = Client(*failing)
    models = models_for(live("a"), policy, live_models)
    return models, asyncio.run(Ranker(live_models, client).rank(models, 6, IDS, under, 1.0))


def test_one_model_alone() -> None:
    models, scored = rank(Policy())
    assert (models.missing, scored.left_out) == ((), ())
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
    assert scored.left_out == (partner,)
    assert scored.scores.tolist() == pytest.approx([0.9, 0.5, 0.1])


def test_each_model_is_asked_under_its_own_vocabulary() -> None:
    live_models: Any = Catalogue()
    client: Any = Client()
    narrow = live("a", takes="item")
    models = models_for(narrow, Policy(blend={"wider": 1.0}), live_models)
    scored = asyncio.run(Ranker(live_models, client).rank(models, 6, IDS, under, 1.0))
    assert set(scored.by_model) == {"a", "wider"}
    for name, vocabulary in (("a", GENRES), ("wider", WIDER)):
        assert client.given[name]["item"].shape == (3, width_of("item", vocabulary))
        assert (client.given[name]["item"][:, -1] == 1).all()


def test_a_version_of_fewer_signals_takes_the_first_of_them() -> None:
    """Columns of signals are only appended: a version from before the last ones ranks on."""
    older = live("a", takes="signals")
    fewer = width_of("signals", GENRES) - 2
    manifest = msgspec.structs.replace(older.manifest, inputs=(ModelInput("signals", "float32", fewer),))
    signals = np.arange(3 * (fewer + 2), dtype=np.float32).reshape(3, -1)
    made = inputs_of(replace(older, manifest=manifest), 6, IDS, replace(under(GENRES), signals=signals))
    np.testing.assert_array_equal(made["signals"], signals[:, :fewer])


def test_without_the_first_nothing_ranks() -> None:
    with pytest.raises(Unavailable, match="a is away"):
        rank(Policy(blend={"b": 1.0}), "a")


def test_a_version_that_was_withdrawn_gives_way_to_another_one() -> None:
    live_models: Any = Catalogue()
    client: Any = Client(withdrawn=3)
    models = models_for(live("a", version=3), Policy(), live_models)
    scored = asyncio.run(Ranker(live_models, client).rank(models, 6, IDS, under, 1.0))
    assert scored.model.version == 2


@pytest.mark.parametrize(("name", "why"), [("a", "version 1: the input 'signals'"), ("b", "no model is ready")])
def test_where_no_other_can_rank_it_is_no_model(name: str, why: str) -> None:
    live_models: Any = Catalogue()
    client: Any = Client(withdrawn=2)
    models = models_for(live(name, version=3), Policy(), live_models)
    with pytest.raises(Unavailable, match=why):
        asyncio.run(Ranker(live_models, client).rank(models, 6, IDS, under, 1.0))
