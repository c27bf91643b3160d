"""Policies and experiments: valid and invalid files; a user's arm is sticky, and as likely as its share."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from features.errors import BadInput
from infra.system.repository import REPO
from online.ranking.policy import CONTROL, NO_SERVING, Policy, bucket_of, read_serving


def serving(policy: dict[str, Any] | None = None, *experiments: dict[str, Any]) -> Any:
    return read_serving(msgspec.json.encode({"policy": policy or {}, "experiments": experiments}))


def test_where_models_rank_is_one_of_two() -> None:
    assert not NO_SERVING.in_process
    assert not read_serving(b'{"ranking": "model-server"}').in_process
    assert read_serving(b'{"ranking": "in-process"}').in_process
    with pytest.raises(BadInput, match=r"ranking.*model-server or in-process.*'gpu'"):
        read_serving(b'{"ranking": "gpu"}')


def test_learning_without_a_judge_is_refused() -> None:
    assert NO_SERVING.learning is None
    learning = read_serving(b'{"judge": {}, "learn": {"slice_s": 60}}').learning
    assert learning is not None
    assert (learning.slice_s, learning.positives, learning.anew_hour) == (60, 500, 3)
    with pytest.raises(BadInput, match=r'learn: expected a "judge" with it, .* got no judge'):
        read_serving(b'{"learn": {}}')


@pytest.mark.parametrize(
    "learn", [{"positives": 7}, {"positives": 5001}, {"slice_s": 0}, {"anew_hour": 24}, {"every": 1}]
)
def test_settings_of_a_learner_have_bounds(learn: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_serving(msgspec.json.encode({"judge": {}, "learn": learn}))


def experiment(name: str = "ranker", layer: str = "rank", **arms: tuple[float, dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "layer": layer,
        "arms": {arm: {"share": share, "policy": policy} for arm, (share, policy) in arms.items()},
    }


def test_without_a_file_everyone_has_the_plain_policy() -> None:
    chosen = NO_SERVING.choose_arms(6)
    assert (chosen.policy, dict(chosen.arms)) == (Policy(), {})


def test_an_arm_changes_what_it_names_and_nothing_else() -> None:
    made = serving({"diversity": 0.2}, experiment(wide=(1, {"model": "widedeep"})))
    chosen = made.choose_arms(6)
    assert chosen.policy == Policy(model="widedeep", diversity=0.2)
    assert chosen.arms == {"ranker": "wide"}
    none = serving({"diversity": 0.2}, experiment(wide=(0, {"model": "widedeep"}))).choose_arms(6)
    assert (none.policy, none.arms) == (Policy(diversity=0.2), {"ranker": CONTROL})


def test_arms_are_sticky_and_as_large_as_their_shares() -> None:
    text: dict[str, Any] = {"a": (0.2, {"explore": 0.1}), "b": (0.5, {})}
    one, again = serving({}, experiment(**text)), serving({}, experiment(**text))
    arms = [one.choose_arms(user_id).arms["ranker"] for user_id in range(10_000)]
    assert arms == [again.choose_arms(user_id).arms["ranker"] for user_id in range(10_000)]
    counts = Counter(arms)
    for arm, share in (("a", 0.2), ("b", 0.5), (CONTROL, 0.3)):
        assert counts[arm] / 10_000 == pytest.approx(share, abs=0.02)
    assert bucket_of("rank", 6) == 0.990033054711547  # for good: an arm must not change with a release


def test_layers_are_independent() -> None:
    made = serving({}, experiment(a=(0.5, {"explore": 0.1})), experiment("mix", "recall", b=(0.5, {"diversity": 0.1})))
    both = Counter(tuple(made.choose_arms(user_id).arms.values()) for user_id in range(10_000))
    assert all(count / 10_000 == pytest.approx(0.25, abs=0.02) for count in both.values())
    assert len(both) == 4


@pytest.mark.parametrize(
    ("policy", "experiments", "reason"),
    [
        ({"diversity": 2}, (), r"policy: expected fields of a policy, got Expected `float` <= 1.0 - at `\$.diversity`"),
        ({"colour": 1}, (), "unknown field `colour`"),
        ({"interleave": ["fusion"]}, (), "policy, interleave: expected two models"),
        ({"channels": {"popular": 5, "nope": 1}}, (), "policy, channels: expected names out of ease, .* got nope"),
        ({"pin": [1, 1]}, (), "policy, pin: expected each item once, got 1, 1"),
        ({"pin": [7, "7"]}, (), "policy, pin: expected each item once, got 7, 7"),
        ({"pin": [1], "bury": [1]}, (), "policy, pin: expected items that are not buried"),
        ({"pin": [7, "a", 8], "bury": ["7", "a"]}, (), "policy, pin: expected items that are not buried, got 7, a"),
        (
            {},
            (experiment(a=(0.7, {}), b=(0.4, {})),),
            "experiment ranker: expected shares of at most 1 together, got 1.1",
        ),
        ({}, (experiment(control=(0.5, {})),), "arms with names other than control"),
        ({}, (experiment(a=(0.5, {"model": 3})),), "experiment ranker, arm a: expected fields of a policy"),
        ({}, (experiment(), experiment("other")), "Expected `object` of length >= 1"),
        ({}, (experiment(a=(1, {})), experiment("other", a=(1, {}))), "a layer of its own"),
        (
            {},
            (experiment(a=(1, {"model": "din"})), experiment("two", "else", a=(1, {"model": "dien"}))),
            "names and changed fields of their own, got ranker, two: model",
        ),
    ],
)
def test_what_can_not_be_is_said(policy: dict[str, Any], experiments: tuple[Any, ...], reason: str) -> None:
    with pytest.raises((BadInput, msgspec.ValidationError), match=reason):
        serving(policy, *experiments)


def test_the_manuals_example_holds() -> None:
    manual = (REPO / "docs" / "operating.md").read_text()
    example = next(block for block in manual.split("```") if '"experiments"' in block)
    made = read_serving(example.encode())
    assert {each.name for each in made.experiments} == {"ranker", "mix"}
    assert made.choose_arms(6).plain.pin == (50,)
