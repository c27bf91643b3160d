"""A learner that is killed again and again, as where memory runs out, gives up what it was at and goes on with the next."""

from pathlib import Path

import pytest

from infra.learning.learner_state import ATTEMPTS
from models.registry import list_versions
from tests.infra.learning.learner_trial import CountedSteps, Killed, Trial
from tests.kafka_process import Broker

pytestmark = pytest.mark.services

KILLED = "its process was killed, as where memory runs out"


def until_killed(trial: Trial, steps: CountedSteps) -> None:
    """Learn in a new process until that is killed."""
    learner = trial.learner(steps)
    with pytest.raises(Killed):
        trial.until(learner, 9)
    learner.close()


def test_a_slice_whose_learner_is_killed_each_time_is_given_up(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps(*["before learn"] * ATTEMPTS)
    for _ in range(ATTEMPTS):
        until_killed(trial, steps)
    learner = trial.learner(steps)
    trial.until(learner, 1)
    assert learner.state.text == f"slice 1 was not learned: {KILLED}; it is given up after 3 attempts"
    assert (dict(learner.state.totals)["skipped"], learner.state.attempts) == (1, 0)
    trial.show(range(12, 24))
    trial.until(trial.learner(steps), 2)
    assert len(trial.learned()) == 12


def test_a_slice_whose_learner_is_stopped_in_order_is_learned_however_often(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps()
    steps.refuse["learn"] = KeyboardInterrupt()
    for _ in range(ATTEMPTS + 1):
        learner = trial.learner(steps)
        with pytest.raises(KeyboardInterrupt):
            trial.until(learner, 1)
        learner.close()
    del steps.refuse["learn"]
    trial.until(trial.learner(steps), 1)
    assert len(trial.learned()) == 12


def test_weights_whose_publication_is_killed_each_time_are_given_up(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps(*["before publish"] * ATTEMPTS)
    for _ in range(ATTEMPTS):
        until_killed(trial, steps)
    learner = trial.learner(steps)
    trial.step_until(learner, lambda: bool(learner.state.totals.get("refused")))
    assert learner.state.text == f"weights after slice 1 are given up: {KILLED}"
    assert (learner.state.weights, list_versions(trial.home.models, "toy")) == (0, [1])
