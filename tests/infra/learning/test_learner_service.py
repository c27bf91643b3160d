"""The learner runs while `serving.json` says so, one cycle at a time, and leaves no step running."""

import os
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from features.errors import BadInput, Broken, Unavailable
from infra.home.paths import Home
from infra.judging.judge_service import POLLS_TO_RELEASE
from infra.learning.enough_memory import lacks_total_memory
from infra.learning.learner_loop import learn_once, learner_of
from infra.learning.learner_service import NAME, Learners, learner_lock
from infra.learning.learner_state import FILE, LearnedSlice, LearnerState, read_state, write_state
from infra.learning.learner_view import learning_report, state_lines
from infra.learning.slice_run import STEP, LearningSteps
from infra.monitoring.prometheus import MonitorMetrics
from infra.monitoring.snapshot import Snapshot
from infra.services.supervisor import Supervisor
from infra.system.processes import ProcessId
from online.ranking.policy import Learning
from tests.home import until

pytestmark = pytest.mark.services

LEARNED = LearnedSlice(
    slice=3, ts=1_700_000_000_000, lists=20, users=9, left_out=2, learned=120, ndcg10={"weights": 0.25}
)
STATE = LearnerState(
    model="fusion", slice=3, weights=3, origin=1, published={2: 1}, totals={"slices": 3, "left_out": 2}, recent=(LEARNED,),
    text="slice 3", text_at=1_700_000_000_000,
)  # fmt: skip


def test_it_runs_while_the_file_says_so_and_ends_after_several_polls_without(
    home: Home, supervisor: Supervisor
) -> None:
    serving, learners = home.path / "serving.json", Learners(home, supervisor)
    learners.poll()
    assert not supervisor.runs(NAME)
    serving.write_text('{"judge": {}, "learn": {}}')
    learners.poll()
    assert supervisor.runs(NAME)
    serving.write_text('{"judge": {}, "learn": {}')
    for _ in range(POLLS_TO_RELEASE):
        learners.poll()
    assert supervisor.runs(NAME), "a file that can't be read says nothing"
    lists = home.path / "learning" / "toy" / "lists-1"
    lists.mkdir(parents=True)
    serving.write_text('{"judge": {} }')
    for _ in range(POLLS_TO_RELEASE):
        assert supervisor.runs(NAME)
        assert lists.is_dir()
        learners.poll()
    assert not supervisor.runs(NAME)
    assert not lists.is_dir(), "nobody reads any more who wants to be forgotten"


def test_a_second_one_waits_and_prints_for_whom(home: Home) -> None:
    lines: list[str] = []
    free = threading.Event()

    def second() -> None:
        with learner_lock(home, lines.append, timeout=30):
            lines.append("its turn")

    with learner_lock(home, lines.append):
        thread = threading.Thread(target=second)
        thread.start()
        deadline = time.monotonic() + 20
        while not lines:
            assert time.monotonic() < deadline
            free.wait(0.01)
        assert lines == [f"waits for process {os.getpid()}, which learns for {home.path}"]
    thread.join(20)
    assert lines[1:] == ["its turn"]
    with (
        learner_lock(home, lines.append),
        pytest.raises(Unavailable, match=r"waited 0 s for process \d+, which learns"),
        learner_lock(home, lines.append, timeout=0),
    ):
        pass


def test_a_step_that_a_killed_learner_left_is_stopped(home: Home) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    target = ProcessId.of(left.pid)
    assert target is not None
    steps = LearningSteps(home, "toy", print)
    steps.stop_leftover()
    (home.run / STEP).write_bytes(msgspec.json.encode({"pid": target.pid, "started": target.started}))
    steps.stop_leftover()
    left.wait(20)
    assert target.process() is None
    assert not (home.run / STEP).exists()
    (home.run / STEP).touch()  # as a power cut leaves it
    steps.stop_leftover()
    assert not (home.run / STEP).exists()


def test_learning_by_hand_needs_the_setting(home: Home) -> None:
    with pytest.raises(
        BadInput, match=r'serving\.json: expected "learn": \{\}, and "judge": \{\} with it, got no learn'
    ):
        learn_once(home, print)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nobody", r"learn\.model: expected one of .*fusion.*, got 'nobody'"),
        ("widedeep", r"learn\.model: expected a model that learns from lists .*, got widedeep, which learns from rows"),
    ],
)
def test_a_model_that_can_not_learn_from_lists_is_named(home: Home, name: str, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        learner_of(home, Learning(model=name), print)
    with pytest.raises(Broken, match="no base yet"):
        learner_of(home, Learning(model="din"), print)


def test_what_was_learned_is_shown_and_measured(home: Home) -> None:
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {}}')
    assert list(state_lines(home)) == ["nothing was learned yet"]
    write_state(home.path / FILE, STATE)
    assert read_state(home.path / FILE) == STATE
    lines = "\n".join(state_lines(home))
    assert "slice 3: 20 lists of 9 users, 2 left out; NDCG@10 before: weights 0.2500; learned from 120" in lines
    assert "published: version 2 after slice 1" in lines
    assert "the next candidate waits for the judge to name the version that ranks" in lines
    report = learning_report(home)
    assert report is not None
    metrics = MonitorMetrics()
    metrics.show(Snapshot(1, 1, learning=report), ())
    samples = {
        (each.name, *each.labels.values()): each.value for family in metrics.collect() for each in family.samples
    }
    assert samples["martlet_learning_ndcg10", "weights"] == 0.25
    assert samples["martlet_learning_total", "left_out"] == 2
    assert samples["martlet_learning_not_anew",] == 0
    assert samples["martlet_learning_slice_at_seconds",] == 1_700_000_000


def test_nothing_is_reported_where_nothing_learns_and_a_broken_state_is_named(home: Home) -> None:
    assert learning_report(home) is None
    assert "nothing learns by itself" in next(iter(state_lines(home)))
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {}}')
    (home.path / FILE).write_text("[]")
    report = learning_report(home)
    assert report is not None
    assert "learner.json: expected how far a learner is" in report["text"]


@pytest.mark.skipif(lacks_total_memory() is not None, reason="nothing learns on this machine")
def test_a_learner_of_a_model_that_can_not_learn_says_so_once_and_waits_for_another_file(home: Home) -> None:
    serving = home.path / "serving.json"
    serving.write_text('{"judge": {}, "learn": {"model": "nobody"}}')
    argv = [sys.executable, "-m", "infra.learning", "--home", str(home.path)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as learner:
        assert learner.stdout is not None
        assert "error: learn.model: expected one of" in learner.stdout.readline()
        serving.write_text('{"judge": {}, "learn": {"model": "widedeep"}}')
        assert "got widedeep, which learns from rows" in learner.stdout.readline(), "nothing else in between"
        learner.terminate()
        assert learner.wait(30) == 0


def test_a_learner_that_nobody_ends_removes_its_lists_once_nothing_is_to_be_learned(home: Home) -> None:
    lists = home.path / "learning" / "toy" / "lists-1"
    lists.mkdir(parents=True)
    (home.path / "serving.json").write_text('{"judge": {}}')
    argv = [sys.executable, "-m", "infra.learning", "--home", str(home.path)]
    with subprocess.Popen(argv, start_new_session=True) as learner:
        try:
            until(lambda: not lists.exists(), 30, "nobody reads any more who wants to be forgotten")
        finally:
            learner.terminate()
        assert learner.wait(30) == 0
