"""The learner on a real Kafka: whatever kills it, each sample is learned once and no weights are published twice."""

import shutil
from pathlib import Path

import pytest

from features.errors import Broken, MartletError, Unavailable
from infra.learning.learner_state import ATTEMPTS, FILE, read_state
from infra.learning.learning_rules import MAX_RECORDS
from infra.offline_jobs.step_process import StepFailed
from models.registry import MANIFEST, change_labels, list_versions, read_labels, read_manifest
from tests.infra.learning.learner_trial import Killed, Trial
from tests.kafka_process import Broker
from tests.models.fake_version import publish_one

pytestmark = pytest.mark.services


POINTS = [f"{when} {step}" for step in ("make_lists", "learn", "publish") for when in ("before", "after")]


@pytest.mark.parametrize("point", POINTS)
def test_whatever_kills_it_each_sample_is_learned_once_and_weights_are_published_once(
    broker: Broker, tmp_path: Path, point: str
) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    killed = trial.learner(trial.steps(point))
    with pytest.raises(Killed):
        trial.until(killed, 1, versions=2)
    killed.close()
    folder = trial.home.path / "learning" / "toy"
    weights = folder / "weights-1"
    if killed.state.slice == 0:
        weights.mkdir(parents=True, exist_ok=True)  # as if it had been killed just before it wrote its state
        (weights / "half").touch()
    (folder / "work-x" / "new").mkdir(parents=True)  # what a killed process does not clean up
    after = trial.learner(trial.steps())
    trial.until(after, 1, versions=2)
    after.step(100)
    learned = read_manifest(weights).digests
    after.close()
    trial.show(range(12, 24))
    change_labels(trial.home.models, "toy", lambda found: found.promoted(2, "by hand", 2))
    last = trial.learner(trial.steps())
    trial.until(last, 2)
    assert len(trial.learned()) == len(set(trial.learned())) == 24
    assert list_versions(trial.home.models, "toy") == [1, 2]
    assert list(last.state.published.items()) == [(2, 1)]
    assert read_manifest(trial.home.models / "toy" / "2").digests == learned
    assert not weights.exists()
    assert not (folder / "work-x").exists()
    assert {record.slice for record in trial.scores()} == {1, 2}


def test_a_slice_that_can_not_be_learned_is_given_up_and_the_next_one_goes_on_from_what_ranks(
    broker: Broker, tmp_path: Path
) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps()
    trial.until(trial.learner(steps, publish_s=10_000), 1, versions=2)
    trial.show(range(12, 24))
    steps.refuse["learn"] = Broken("training of toy diverged: loss nan")
    learner = trial.learner(steps, publish_s=10_000)
    trial.until(learner, 2)
    assert dict(learner.state.totals)["skipped"] == 1
    assert sum("diverged" in line for line in trial.lines) == ATTEMPTS
    assert "given up after 3 attempts" in learner.state.text
    del steps.refuse["learn"]
    trial.show(range(24, 36))
    trial.until(trial.learner(steps, publish_s=10_000), 3)
    assert steps.starts[-1] == "1", "the weights of before are suspected: the version that ranks is the start"


def test_an_outage_is_no_failure_of_the_slice_and_it_is_learned_once_that_is_over(
    broker: Broker, tmp_path: Path
) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps()
    steps.refuse["learn"] = Unavailable("Kafka did not answer")
    for _ in range(ATTEMPTS + 1):
        by_hand = trial.learner(steps, once=True)
        with pytest.raises(Unavailable, match=r"slice 1 was not learned: Kafka did not answer; it is tried again"):
            by_hand.once()
        assert (by_hand.state.slice, by_hand.state.attempts, by_hand.state.origin) == (0, 0, 1)
        by_hand.close()
    waiting = trial.learner(steps)
    before = len(trial.lines)
    trial.step_until(waiting, lambda: len(trial.lines) > before)
    waiting.step(100)
    assert len(trial.lines) == before + 1, "it is not tried again at once"
    waiting.close()
    del steps.refuse["learn"]
    trial.until(trial.learner(steps, publish_s=10_000), 1, versions=2)


def test_weights_that_the_gate_refuses_are_given_up_by_name(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps()
    steps.refuse["publish"] = Broken("the variable dense holds values that are not finite")
    learner = trial.learner(steps)
    trial.step_until(learner, lambda: bool(learner.state.totals.get("refused")))
    assert "not finite" in learner.state.text
    assert (learner.state.weights, list_versions(trial.home.models, "toy")) == (0, [1])
    assert sum("not finite" in line for line in trial.lines) == 1


@pytest.mark.parametrize("error", [StepFailed("it failed (exit code -9)", -9), OSError(28, "No space left on device")])
def test_weights_that_could_not_be_published_are_tried_again_a_few_times(
    broker: Broker, tmp_path: Path, error: Exception
) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps()
    steps.refuse["publish"] = error
    learner = trial.learner(steps)
    trial.step_until(learner, lambda: learner.state.publish_attempts == ATTEMPTS - 1)
    assert (learner.state.weights, learner.state.totals.get("refused")) == (1, None)
    assert str(error) in learner.state.text
    trial.step_until(learner, lambda: bool(learner.state.totals.get("refused")))
    assert f"{error}, {ATTEMPTS} times" in learner.state.text
    assert (learner.state.weights, learner.state.publish_attempts) == (0, 0)


def test_a_full_disk_is_a_failure_of_its_slice(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps()
    steps.refuse["learn"] = OSError(28, "No space left on device")
    by_hand = trial.learner(steps, once=True)
    with pytest.raises(Broken, match=r"slice 1 was not learned: .*No space left on device; it is tried again"):
        by_hand.once()
    by_hand.close()


def test_a_home_without_a_version_gets_its_first_one_by_making_all_anew(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    shutil.rmtree(trial.home.models / "toy")
    trial.change(begun_at=1)
    steps = trial.steps()
    trial.step_until(trial.learner(steps, anew_hour=3), lambda: bool(steps.renewed))
    assert steps.starts == []


def test_a_log_that_goes_away_and_comes_back_is_read_on_where_it_was(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    pending = trial.pending()
    for shown in (range(12), range(12, 24)):
        trial.show(shown)
        trial.read_until(pending, shown.stop)
        pending.close()  # as where a broker was lost
    assert (pending.records, pending.positives) == (24, 24)
    assert sum(end - start for start, end, _ in pending.spans().values()) == 24


def test_nothing_is_learned_or_published_while_too_little_memory_is_free(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    lacking: list[str] = ["learning needs more"]
    learner = trial.learner(trial.steps(), lacks_memory=lambda: lacking[0] if lacking else None)
    trial.step_until(learner, lambda: trial.lines[-1:] == lacking)
    assert learner.state.slice == 0
    by_hand = trial.learner(trial.steps(), once=True, lacks_memory=lambda: "learning needs more")
    with pytest.raises(Unavailable, match="learning needs more"):
        by_hand.once()
    by_hand.close()
    trial.until(trial.learner(trial.steps(), publish_s=10_000), 1, versions=2)
    trial.show(range(12, 24))
    trial.until(trial.learner(trial.steps(), publish_s=10_000), 2)
    trial.change(published_at=0)
    learner = trial.learner(trial.steps(), lacks_memory=lambda: "publishing, too")
    trial.step_until(learner, lambda: trial.lines[-1] == "publishing, too")
    assert list_versions(trial.home.models, "toy") == [1, 2]


def test_a_newer_version_that_can_not_be_read_is_named_once_and_passed_over(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps()
    trial.until(trial.learner(steps, publish_s=10_000), 1, versions=2)
    publish_one(trial.home.models)
    (trial.home.models / "toy" / "3" / MANIFEST).write_text("{")
    trial.show(range(12, 24))
    trial.until(trial.learner(steps, publish_s=10_000), 2)
    assert steps.starts == ["1", "weights-1"]
    assert sum("does not go on from version 3" in line for line in trial.lines) == 1


def test_by_hand_what_has_come_is_learned_at_once_and_a_failure_is_an_error(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    steps = trial.steps()
    assert not trial.learner(steps, once=True).once(), "nothing has come"
    trial.show(range(12))
    steps.refuse["learn"] = Broken("training of toy diverged")
    by_hand = trial.learner(steps, once=True, positives=5_000, slice_s=86_400)
    with pytest.raises(Broken, match="slice 1 was not learned: training of toy diverged; it is tried again"):
        by_hand.once()
    del steps.refuse["learn"]
    assert by_hand.once()
    by_hand.close()
    assert (by_hand.state.slice, list_versions(trial.home.models, "toy")) == (1, [1, 2])


def test_by_hand_a_full_slice_without_likes_is_passed_as_it_is_by_the_service(broker: Broker, tmp_path: Path) -> None:
    """Else nothing behind it would ever be learned by hand."""
    trial = Trial(broker, tmp_path)
    trial.fill(MAX_RECORDS)
    by_hand = trial.learner(trial.steps(), once=True)
    assert by_hand.once()
    by_hand.close()
    assert by_hand.state.slice == 1


def test_a_candidate_that_lost_takes_its_weights_with_it(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    steps = trial.steps()
    trial.until(trial.learner(steps), 1, versions=2)
    change_labels(trial.home.models, "toy", lambda found: found.decided(2, "a candidate", candidate=2))
    trial.show(range(12, 24))
    trial.until(trial.learner(steps), 2)
    assert steps.starts[-1] == "weights-1"
    change_labels(trial.home.models, "toy", lambda found: found.without(3, "worse", 2))
    trial.show(range(24, 36))
    trial.until(trial.learner(steps), 3)
    assert steps.starts[-1] == "1"
    labels = read_labels(trial.home.models, "toy")
    assert labels is not None
    assert labels.lost == (2,)


def test_lists_come_again_until_somebody_wants_to_be_forgotten(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    steps = trial.steps()
    for number in range(1, 4):
        trial.show(range(12 * number))
        if number == 3:
            trial.forget(5)
        trial.until(trial.learner(steps), number)
    assert steps.whole == [["new.parquet"], ["again-1.parquet", "new.parquet"], ["new.parquet"]]


def test_a_wish_to_be_forgotten_holds_at_once_whatever_comes_of_its_slice(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    steps = trial.steps()
    trial.show(range(12))
    trial.until(trial.learner(steps), 1)
    other = trial.home.path / "learning" / "fusion" / "lists-7"
    other.mkdir(parents=True)
    trial.forget(5)
    learner = trial.learner(steps, positives=100, slice_s=86_400)
    trial.step_until(learner, lambda: learner.state.replayed == ())
    assert learner.state.slice == 1, "before its slice is over"
    assert not list((trial.home.path / "learning").glob("*/lists-*")), "those of a model that learned before included"
    trial.show(range(12, 24))
    steps.refuse["learn"] = Broken("training of toy diverged")
    trial.until(trial.learner(steps), 2)
    del steps.refuse["learn"]
    trial.show(range(24, 36))
    trial.until(trial.learner(steps), 3)
    assert steps.whole[-1] == ["new.parquet"], "nor after the slice was given up"


def test_two_learners_of_a_home_share_its_slices(broker: Broker, tmp_path: Path) -> None:
    """A second one takes over what the first one has learned meanwhile, and counts anew."""
    trial = Trial(broker, tmp_path)
    first, second = trial.learner(trial.steps()), trial.learner(trial.steps())
    second.close()
    trial.show(range(12))
    trial.until(first, 1)
    assert not second.step(200)
    assert second.state.slice == 1
    trial.show(range(12, 24))
    trial.until(second, 2)
    assert len(trial.learned()) == len(set(trial.learned())) == 24


def test_a_log_that_was_made_anew_is_read_from_its_beginning(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    trial.until(trial.learner(trial.steps()), 1)
    state_file = trial.home.path / FILE
    text = state_file.read_text()
    state = read_state(state_file)
    assert state is not None
    state_file.write_text(text.replace(f'"0": {state.offsets[0]}', '"0": 999999', 1))
    learner = trial.learner(trial.steps())
    learner.step(200)
    learner.close()
    assert any("expected offset 999999, the log has 0 to" in line for line in trial.lines)


def test_a_state_that_is_none_is_refused_with_what_to_do(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    (trial.home.path / FILE).write_text("{")
    with pytest.raises(Broken, match=r"learner\.json: expected how far a learner is, .*remove it to begin anew"):
        trial.learner(trial.steps())


def test_what_it_has_learned_is_its_owners_alone(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    trial.show(range(12))
    trial.until(trial.learner(trial.steps()), 1)
    assert (trial.home.path / FILE).stat().st_mode & 0o777 == 0o600
    assert (trial.home.path / "learning" / "toy").stat().st_mode & 0o777 == 0o700


def test_slices_between_its_failures_neither_save_it_nor_are_given_up_by_them(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    steps = trial.steps()
    steps.refuse["renew"] = MartletError("Spark failed")
    trial.change(renewing=7)
    for number in range(1, ATTEMPTS + 1):
        trial.show(range(12 * number))
        trial.until(trial.learner(steps), number)
        trial.change(renewal_failed_at=0)  # its rest is over
    learner = trial.learner(steps)
    learner.step(100)
    assert (steps.renewed, learner.state.renewing) == ([7] * ATTEMPTS, None)
    assert not learner.state.totals.get("skipped")
    steps.refuse["learn"] = Broken("diverged")
    trial.show(range(12))
    trial.step_until(learner, lambda: bool(learner.state.totals.get("skipped")))
    assert sum("diverged" in line for line in trial.lines) == ATTEMPTS


def test_by_hand_nothing_is_made_anew_and_what_failed_of_it_is_no_error(broker: Broker, tmp_path: Path) -> None:
    trial = Trial(broker, tmp_path)
    steps = trial.steps()
    trial.change(renewing=7, renewal_attempts=1, attempts=1)
    by_hand = trial.learner(steps, once=True)
    assert not by_hand.once(), "nothing has come"
    by_hand.close()
    assert not steps.renewed
