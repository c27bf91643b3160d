"""Arms and teams are told apart, and the interval holds the mean."""

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET, structs
from rich.console import Console

from features.contracts.samples import Action, Sample
from features.contracts.served import Served, ServedCandidates, ServedItem
from offline.evaluation.experiments import ArmResult, report, results_of
from tests.schemas import MOVIES

TS = 889_000_000_000


def sample(user_id: int, liked: int | None, arms: Any = UNSET, teams: tuple[Any, ...] = (UNSET, UNSET)) -> Sample:
    items = tuple(ServedItem(10 + at, at, 0.5, (), 1.0, team) for at, team in enumerate(teams))
    served = Served(
        request_id=f"r{user_id}", user_id=user_id, ts=TS, at=TS, model=None, model_version=None, items=items,
        candidates=ServedCandidates((), [], [], []), arms=arms,
    )  # fmt: skip
    actions = () if liked is None else (Action("e", "like", TS, liked),)
    return Sample(served.request_id, user_id, served, actions, TS)


def test_arms_and_teams() -> None:
    lists = [sample(user, 10 if user % 4 == 0 else None, {"ranker": "wide"}) for user in range(40)]
    lists += [sample(user, 11, {"ranker": "control", "mix": "b"}) for user in range(50, 60)]
    lists += [sample(70, 11, teams=("fusion", "din")), sample(71, None, teams=("din", "fusion"))]
    results = results_of(lists, MOVIES)
    arms = results.arms
    assert set(arms) == {("ranker", "wide"), ("ranker", "control"), ("mix", "b")}
    mean, low, high = arms["ranker", "wide"].share()
    assert mean == 0.25
    assert 0.05 < low < mean < high < 0.45
    assert arms["ranker", "control"].share() == (1.0, 1.0, 1.0)
    mixed = results.interleaved["din", "fusion"]
    assert (mixed.lists, mixed.liked, mixed.differences.sums) == (2, (1, 0), {70: 1.0})


def test_the_report() -> None:
    out = io.StringIO()
    report(Console(file=out, width=120), [], MOVIES)
    assert "no closed list" in out.getvalue()
    some = [structs.replace(sample(1, 10, {"ranker": "wide"}), closed_ts=TS + 1), sample(2, None, teams=("a", "b"))]
    report(Console(file=out, width=120), some, MOVIES)
    assert "ranker" in out.getvalue()
    assert "interleaved, items liked of each model's picks: a 0, b 0 (1 lists)" in out.getvalue()


def test_the_verdict_on_two_models() -> None:
    won = [sample(user, 11, teams=("a", "b")) for user in range(20)]
    out = io.StringIO()
    report(Console(file=out, width=120), won, MOVIES)
    assert "a wins 0.000 (0.000-" in out.getvalue()
    assert "that b is better: undecided, about " in out.getvalue()
    out = io.StringIO()
    report(Console(file=out, width=120), [sample(user, 11, teams=("a", "b")) for user in range(70)], MOVIES)
    assert "that b is better: decided" in out.getvalue()


def test_one_user_alone_decides_nothing() -> None:
    out = io.StringIO()
    report(Console(file=out, width=120), [sample(1, 10, teams=("a", "b")) for _ in range(500)], MOVIES)
    assert "of 10 lists that count, of 1 users" in out.getvalue()
    assert "undecided" in out.getvalue()


def test_an_interval_is_that_of_users_and_costs_no_more_with_many_of_them() -> None:
    """Beside the same resamplings of users one by one. Of a hundred thousand each resampling of these would take .8 MB."""
    few = ArmResult()
    rng = np.random.default_rng(1)
    for user in range(300):
        for _ in range(1 + user % 7):
            few.add(user, int(rng.random() < 0.1 + 0.2 * (user % 3)))
    lists, hits = (np.array(list(counts.values()), float) for counts in (few.lists, few.hits))
    drawn = rng.multinomial(300, np.full(300, 1 / 300), 4_000)
    expected = np.percentile((drawn @ hits) / (drawn @ lists), [2.5, 97.5])
    mean, low, high = few.share()
    assert mean == hits.sum() / lists.sum()
    assert (low, high) == pytest.approx(tuple(expected), abs=0.012)
    many = ArmResult()
    many.lists = {user: 1 + user % 7 for user in range(100_000)}
    many.hits = {user: user % 2 for user in range(100_000)}
    tracemalloc.start()
    many.share()
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
