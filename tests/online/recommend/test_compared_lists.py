"""Lists that compare two versions of a model, or a version with the yardstick; and the candidate that ranks beside, unseen."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.base.reader import Base
from features.contracts.scores import YARDSTICK
from features.errors import Unavailable
from models.registry import Golden, Labels, change_labels
from online.model_client.live_models import LiveModel
from online.ranking.policy import Chosen, Judging, Policy
from online.recommend.recommendation import Recommendation, Request
from online.recommend.recommender import NO_MODEL
from online.recommend.score_log import interleaved_list
from tests.models.fake_version import publish_one
from tests.online.sample_lists import model_under, recommender

JUDGING = Judging(shadow=1.0, trial=0.2, holdback=0.2)
LISTS = 60


class _Server:
    """A model server's client: version 3 ranks candidates in their order, all others the other way round. away: the versions that
    don't answer."""

    def __init__(self) -> None:
        self.away: set[int] = set()
        self.calls: Counter[int] = Counter()

    async def check(self, name: str, version: int, *_: Any) -> Any:
        return np.array([0.75], np.float32)

    async def scores(self, name: str, version: int, inputs: Any, count: int, timeout: float) -> Any:
        self.calls[version] += 1
        if version in self.away:
            raise Unavailable("away")
        scores = np.linspace(0.9, 0.1, count, dtype=np.float32)
        return scores if version == 3 else scores[::-1].copy()


Lists = Callable[..., list[Recommendation]]


@pytest.fixture
def server() -> _Server:
    return _Server()


@pytest.fixture
def lists(base: Base, tmp_path: Path, server: _Server) -> Lists:
    """Makes LISTS lists with versions 1 to 4 on disk, under labels."""

    def made(labels: Labels, policy: Policy | None = None, **more: Any) -> list[Recommendation]:
        model = model_under(("Comedy",))
        golden = Golden({each.name: [0.0] * each.width for each in model.manifest.inputs}, [0.75])
        for _ in range(4):
            publish_one(
                tmp_path / "models",
                "widedeep",
                inputs=model.manifest.inputs,
                maps=model.manifest.maps,
                golden=(golden,),
                schema=base.schema.digest,
            )
        change_labels(tmp_path / "models", "widedeep", lambda _: labels)

        async def run() -> list[Recommendation]:
            async with recommender(base, client=server, models_dir=tmp_path / "models") as (recommends, _):
                chosen = Chosen(policy or Policy(newcomers=0), {}, Policy(newcomers=0))
                asked: dict[str, Any] = {"chosen": chosen, "judging": JUDGING, **more}
                stable = LiveModel("widedeep", labels.stable or 4, model.manifest)
                return [await recommends.recommend(Request(7, stable, 10, **asked)) for _ in range(LISTS)]

        return asyncio.run(run())

    return made


def opponents(answers: list[Recommendation]) -> set[str]:
    return {each.opponent.name for each in answers if each.opponent is not None}


def test_a_candidate_on_trial_the_version_before_and_the_yardstick_are_interleaved(lists: Lists) -> None:
    answers = lists(Labels(stable=3, last_good=2, candidate=4, phase="trial", proved=False))
    assert opponents(answers) == {"widedeep:4", "widedeep:2", YARDSTICK}
    compared = [each for each in answers if each.opponent is not None]
    assert len(compared) < LISTS
    for each in compared:
        assert each.opponent is not None
        assert each.model is not None
        assert each.model.version == 3
        assert {item.team for item in each.items} == {"widedeep:3", each.opponent.name}
        record = interleaved_list(each, each.model, each.opponent.name)
        assert (record.model, record.stable, record.opponent) == ("widedeep", 3, each.opponent.name)
        shown = {item.item_id for item in each.items}
        assert {*record.picks} | {*record.opponent_picks} == shown
        assert len(record.picks) + len(record.opponent_picks) == len(shown) == 10
    assert not any(item.team for each in answers if each.opponent is None for item in each.items)


def test_what_a_rule_puts_in_its_position_is_the_pick_of_nobody_and_costs_nobody_one(lists: Lists) -> None:
    trial = Labels(stable=3, last_good=2, candidate=4, phase="trial", proved=False)
    best = max((each.item_ids for each in lists(Labels(stable=3)) if each.model is not None), key=len)
    policy = Policy(newcomers=0, pin=(best[1],), bury=(best[0], best[2]))
    compared = [each for each in lists(trial, policy=policy) if each.opponent is not None and len(each.items) == 10]
    assert compared
    for each in compared:
        teams = Counter(item.team for item in each.items)
        assert (each.items[0].item_id, each.items[0].team) == (best[1], None)
        assert {best[0], best[2]}.isdisjoint(each.item_ids)
        assert teams.pop(None) == 1
        assert sorted(teams.values()) == [4, 5], "each has as many of the nine others as a coin gives it"


def test_a_proved_version_is_compared_in_the_holdback_alone_and_a_new_candidate_is_not_shown(lists: Lists) -> None:
    answers = lists(Labels(stable=3, candidate=4, phase="shadow"))
    assert opponents(answers) == {YARDSTICK}
    assert sum(each.opponent is not None for each in answers) < LISTS / 2
    assert all(each.shadow is not None for each in answers)


def test_nothing_is_compared_without_labels_by_name_or_in_another_experiment(lists: Lists, server: _Server) -> None:
    trial = Labels(stable=3, last_good=2, candidate=4, phase="trial", proved=False)
    plain = [
        lists(Labels(stable=None)),
        lists(trial, named=True),
        lists(trial, judging=None),
        lists(trial, items=(1, 3, 40)),
        lists(trial, policy=Policy(newcomers=0, interleave=("a", "b"))),
    ]
    assert [opponents(each) for each in plain] == [set()] * 5
    assert not any(answer.shadow for each in plain for answer in each)
    assert set(server.calls) <= {3, 4}


def test_an_opponent_that_does_not_answer_costs_a_list_nothing(lists: Lists, server: _Server) -> None:
    server.away = {4}
    answers = lists(Labels(stable=3, candidate=4, phase="trial", proved=True))
    assert server.calls[4]
    assert opponents(answers) <= {YARDSTICK}
    assert {word for each in answers for word in each.degraded} == {"no live features"}
    assert all(each.model is not None and each.model.version == 3 for each in answers)


def test_a_candidate_ranks_beside_and_says_when_it_can_not(lists: Lists, server: _Server) -> None:
    answer = lists(Labels(stable=3, candidate=4, phase="shadow"))[0]
    assert answer.shadow is not None
    candidate, run = answer.shadow
    assert candidate.version == 4
    before = server.calls[4]
    scores = asyncio.run(run())
    assert server.calls[4] == before + 1
    assert scores.tolist() == sorted(scores.tolist())
    server.away = {4}
    with pytest.raises(Unavailable):
        asyncio.run(run())
    assert NO_MODEL not in answer.degraded
