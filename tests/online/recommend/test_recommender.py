"""One list, made in process without Redis and without a model server: hidden items, experiments, ranking's share of the
deadline, and the order without a model."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from features.base.reader import RELATIONS, REPEATS, Base
from features.base.repeat_lifts import SPANS, span_of
from features.errors import Unavailable
from features.inputs.columns import ITEM_COLUMNS
from features.inputs.model_inputs import layout, width_of
from features.inputs.signals import SIGNAL_COLUMNS
from features.types import Item
from features.units import DAY_MS
from models.registry import ModelInput
from offline.item_weights.repeat_rates import write_lifts
from online.ranking.policy import Chosen, Hide, Policy
from online.recall.compile_recall import compile_recall
from online.recommend.recommendation import Recommendation, Request
from online.recommend.recommender import NO_CHANGES, NO_MODEL, Recommender
from tests.online.conftest import write_base
from tests.online.sample_lists import AT, model_of, model_under, recommender
from tests.schemas import MOVIES, film


def recommendation(base: Base, policy: Policy | None = None, **more: Any) -> Recommendation:
    async def recommended() -> Recommendation:
        async with recommender(base) as (made, _):
            chosen = Chosen(policy or Policy(), {}, Policy())
            return await made.recommend(Request(7, None, more.pop("size", 100), chosen=chosen, **more))

    return asyncio.run(recommended())


def films(base: Base, answer: Recommendation) -> list[Item]:
    return [base.catalogue[item_id] for item_id in answer.item_ids]


@pytest.mark.parametrize(
    ("hide", "years"),
    [
        (Hide(before=1990, after=2000), range(1990, 2001)),
        (Hide(before=2010), range(2010, 2021)),
        (Hide(after=1985), range(1981, 1986)),
    ],
)
def test_a_policy_hides_films_of_before_and_after(base: Base, hide: Hide, years: range) -> None:
    found = {shown.year for shown in films(base, recommendation(base, Policy(hide=hide)))}
    assert found
    assert found <= set(years)
    assert len(found) >= len(years) - 2  # user 7 has seen two films


def test_a_policy_hides_a_genre(base: Base) -> None:
    found = films(base, recommendation(base, Policy(hide=Hide(genres=("War",)))))
    assert {genre for shown in found for genre in shown.labels} == {"Comedy"}


def test_a_list_is_of_one_genre_where_that_is_asked_for(base: Base) -> None:
    found = films(base, recommendation(base, filters=(("genres", "War"),)))
    assert {shown.labels for shown in found} == {("Drama", "War")}


def test_what_is_excluded_or_seen_is_not_in_the_list(base: Base) -> None:
    assert {1, 3, 40, 39} & set(recommendation(base).item_ids) == {39, 40}
    assert not {1, 3, 40, 39} & set(recommendation(base, exclude=frozenset({40, 39})).item_ids)


def test_what_is_hidden_for_a_time_comes_back(tmp_path: Path) -> None:
    base = write_base(tmp_path / "1", hidden={40: AT + DAY_MS, 39: AT - DAY_MS})
    assert {40, 39} & set(recommendation(base).item_ids) == {39}
    assert {40, 39} & set(recommendation(base, at=AT + DAY_MS).item_ids) == {40, 39}


def test_what_was_taken_and_may_be_shown_again_is_recalled_when_it_is_due(tmp_path: Path) -> None:
    base = write_base(tmp_path / "1", hidden={40: AT + DAY_MS, 39: AT - DAY_MS, 38: AT - 9 * DAY_MS})
    lifts = np.full((3, SPANS), 0.5, np.float32)
    lifts[:, span_of(np.array([9 * DAY_MS]))] = 3
    write_lifts(base.folder / RELATIONS / REPEATS, np.array([38, 39, 40]), lifts)
    by_channel = {item.item_id: item.channels for item in recommendation(base).items}
    assert [item_id for item_id, channels in by_channel.items() if "due" in channels] == [38]
    later = recommendation(base, at=AT + 9 * DAY_MS, exclude=frozenset({38}))
    assert {item.item_id for item in later.items if "due" in item.channels} == {39, 40}


def test_given_items_are_ranked_seen_or_not(base: Base) -> None:
    assert set(recommendation(base, items=(1, 3, 40)).item_ids) == {1, 3, 40}


def test_given_items_that_no_model_ranks_stay_in_the_callers_order(base: Base) -> None:
    answer = recommendation(base, items=(40, 1, 999, 23, 3, 39))
    assert NO_MODEL in answer.degraded
    assert answer.item_ids == [40, 1, 23, 3, 39]
    assert [item.score for item in answer.items] == sorted({item.score for item in answer.items}, reverse=True)


def test_a_list_says_that_changes_of_items_are_not_known_yet(base: Base) -> None:
    async def run() -> list[bool]:
        async with recommender(base) as (made, items):
            found = []
            for change in ("", "await_changes", "has_changes"):
                if change:
                    getattr(items, change)()
                answer = await made.recommend(Request(7, None, 5, chosen=Chosen(Policy(), {}, Policy())))
                found.append(NO_CHANGES in answer.degraded)
            return found

    assert asyncio.run(run()) == [False, True, False]


def test_a_list_is_as_long_as_is_asked_and_has_each_item_once(base: Base) -> None:
    found = recommendation(base, size=7).item_ids
    assert len(found) == len(set(found)) == 7


def test_pinned_items_come_first_and_buried_ones_last(base: Base) -> None:
    found = recommendation(base, Policy(pin=(11, 12), bury=(40, 39))).item_ids
    assert found[:2] == [11, 12]
    assert set(found[-2:]) == {39, 40}


def test_a_request_that_names_its_model_is_in_no_experiment() -> None:
    plain = Policy(model="a", blend={"d": 1.0}, interleave=("a", "b"), diversity=0.3)
    chosen = Chosen(Policy(model="b", blend={"c": 1.0}, diversity=0.3), {"ranker": "b"}, plain)
    named, free = (Request(7, None, 10, chosen=chosen, named=each) for each in (True, False))
    assert (named.arms(), named.policy()) == ({}, Policy(diversity=0.3))
    assert (free.arms(), free.policy().model) == ({"ranker": "b"}, "b")


def test_without_a_model_what_is_near_to_what_the_user_liked_comes_before_what_is_popular(base: Base) -> None:
    answer = recommendation(base, Policy(newcomers=0))
    assert NO_MODEL in answer.degraded
    assert answer.item_ids[:3] == [5, 6, 39], "near and a comedy; near; a comedy, and popular"
    scores = [item.score for item in answer.items]
    assert 1 >= scores[0] > scores[2] > scores[-1] > 0


class _NobodyThere:
    """A model client that records its timeout and gets no response."""

    def __init__(self) -> None:
        self.allowed: list[float] = []

    async def scores(self, name: str, version: int, inputs: Any, count: int, timeout: float) -> Any:
        self.allowed.append(timeout)
        raise Unavailable("away")


class _Scores:
    """A model client that gives every candidate another score, and records what it was given, by version."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, int], Any] = {}

    async def scores(self, name: str, version: int, inputs: Any, count: int, timeout: float) -> Any:
        self.given[name, version] = inputs
        return np.linspace(0.9, 0.1, count, dtype=np.float32)


@pytest.mark.parametrize("vocabulary", [(), ("War",), ("Comedy", "Drama", "Western", "Zombies")])
def test_a_model_ranks_whatever_its_vocabulary(base: Base, vocabulary: tuple[str, ...]) -> None:
    """The catalogue has comedies, and dramas of war; what the model does not know is in its bucket of others."""
    client = _Scores()

    async def recommended() -> Recommendation:
        async with recommender(base, client=client) as (made, items):
            items.put_item(film(500, "New", ("Ornithology",), 2026, ts=AT))
            return await made.recommend(Request(7, model_under(vocabulary), 10, items=(500, 1, 2), explain=True))

    answer = asyncio.run(recommended())
    assert NO_MODEL not in answer.degraded
    assert answer.item_ids == [500, 1, 2]
    items = client.given["widedeep", 3]["item"][:, len(ITEM_COLUMNS) :]
    comedy, war = (
        [*(float(name in has) for name in vocabulary), float(bool(set(has) - set(vocabulary)))]
        for has in (("Comedy",), ("Drama", "War"))
    )
    assert items.tolist() == [[0.0] * len(vocabulary) + [1.0], comedy, war]
    features = answer.ranked.features
    assert features is not None
    assert features.layout == layout(vocabulary, MOVIES.digest)


def test_a_users_columns_are_logged_though_no_model_takes_them(base: Base) -> None:
    compile_recall(base.schema)  # so that neither list lacks channels
    takes_all = model_under(("Comedy",))
    inputs = (ModelInput("movieId", "int64"), ModelInput("signals", "float32", len(SIGNAL_COLUMNS)))
    takes_signals = replace(takes_all, manifest=structs.replace(takes_all.manifest, inputs=inputs))

    async def recommended() -> list[Recommendation]:
        async with recommender(base, client=_Scores()) as (made, _):
            return [await made.recommend(Request(7, model, 10, at=AT)) for model in (takes_all, takes_signals)]

    whole, signals = (answer.ranked.features for answer in asyncio.run(recommended()))
    assert whole is not None
    assert signals is not None
    assert signals.user.tolist() == whole.user.tolist()
    assert signals.user.shape == (1, width_of("user", ("Comedy",)))
    assert signals.items.tolist() == whole.items.tolist()


def test_what_is_not_logged_carries_no_features(base: Base) -> None:
    async def recommended() -> list[Recommendation]:
        async with recommender(base, client=_Scores()) as (made, _):
            model = model_under(("Comedy",))
            return [await made.recommend(Request(7, model, 10, items=items)) for items in (None, (1, 2))]

    logged, given = asyncio.run(recommended())
    assert logged.ranked.features is not None
    assert given.ranked.features is None
    assert given.model is not None


def test_two_versions_of_other_vocabularies_rank_side_by_side(base: Base) -> None:
    """While one takes over from the other, and in an experiment. What is logged is of the one that is named."""
    client = _Scores()
    old, new = model_under(("Comedy",), version=3), model_under(("Comedy", "War"), version=4)

    async def recommended() -> list[Recommendation]:
        async with recommender(base, client=client) as (made, _):
            return [await made.recommend(Request(7, model, 10)) for model in (old, new)]

    answers = asyncio.run(recommended())
    assert [NO_MODEL in each.degraded for each in answers] == [False, False]
    assert [inputs["user"].shape[1] for inputs in client.given.values()] == [7 + 3 * 2, 7 + 3 * 3]
    layouts = [each.ranked.features.layout for each in answers if each.ranked.features is not None]
    assert layouts == [layout(("Comedy",), MOVIES.digest), layout(("Comedy", "War"), MOVIES.digest)]


def test_ranking_has_what_is_left_of_the_deadline(base: Base) -> None:
    client = _NobodyThere()

    async def recommended() -> Recommendation:
        async with recommender(base, client=client, deadline=100.0) as (made, items):
            assert isinstance(made, Recommender)
            return await made.recommend(Request(7, model_of(items), 10), waited=25.0)

    answer = asyncio.run(recommended())
    (allowed,) = client.allowed
    assert 0 < allowed <= 0.8 * 100 - 25
    assert NO_MODEL in answer.degraded
    assert len(answer.items) == 10
