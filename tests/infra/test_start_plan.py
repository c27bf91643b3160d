"""The steps of a start: each as soon as what it needs is done, and no more once one has failed."""

import sys
import threading
from collections.abc import Callable

import pytest

from features.errors import Unavailable
from infra.start_plan import NothingToDo, Plan

SOON = 10.0


class Log:
    """What was done, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def step(self, name: str) -> Callable[[], None]:
        return lambda: self.done.append(name)

    def failing(self, name: str) -> Callable[[], None]:
        def work() -> None:
            self.done.append(name)
            raise Unavailable(f"{name} is not there")

        return work


def gate(event: threading.Event) -> Callable[[], None]:
    def work() -> None:
        assert event.wait(SOON)

    return work


def join(*steps: str) -> None:
    for thread in threading.enumerate():
        if thread.name in steps:
            thread.join(SOON)


def test_a_step_follows_all_that_it_needs() -> None:
    log, plan = Log(), Plan()
    plan.add("a", log.step("a"))
    plan.add("b", log.step("b"), needs=("a",))
    plan.add("c", log.step("c"), needs=("a", "b"))
    plan.run()
    assert log.done == ["a", "b", "c"]
    assert plan.pending() == []


def test_steps_that_do_not_need_one_another_are_under_way_together() -> None:
    plan, one, other = Plan(), threading.Event(), threading.Event()

    def meet(mine: threading.Event, theirs: threading.Event) -> None:
        mine.set()
        assert theirs.wait(SOON)

    plan.add("a", lambda: meet(one, other))
    plan.add("b", lambda: meet(other, one))
    plan.run()


def test_later_steps_are_not_waited_for_and_told_until_they_are_done() -> None:
    log, plan, go, over = Log(), Plan(), threading.Event(), threading.Event()
    reported: list[list[str]] = []

    def report() -> None:
        reported.append([each.name for each in plan.pending()])
        if not reported[-1]:
            over.set()

    plan.on_change = report
    plan.add("a", log.step("a"))
    plan.add("train", gate(go), needs=("a",), later=True)
    plan.add("serve", log.step("serve"), needs=("train",), later=True)
    plan.run()
    first, second = plan.pending()
    assert (first.name, second.name, second.since) == ("train", "serve", None)
    assert first.since is not None
    go.set()
    assert over.wait(SOON)
    assert log.done == ["a", "serve"]
    assert reported[0] == ["train", "serve"]


def test_a_later_step_that_fails_takes_with_it_only_what_needs_it() -> None:
    log, plan, over = Log(), Plan(), threading.Event()
    failures: list[str] = []
    plan.on_failure = lambda name, error: failures.append(f"{name}: {error}")
    plan.on_change = lambda: None if plan.pending() else over.set()
    plan.add("a", log.step("a"))
    plan.add("data", log.failing("data"), needs=("a",), later=True)
    plan.add("train", log.step("train"), needs=("data",), later=True)
    plan.add("rank", log.step("rank"), needs=("train",), later=True)
    plan.add("server", log.step("server"), needs=("a",), later=True)
    plan.run()
    assert over.wait(SOON)
    assert sorted(log.done) == ["a", "data", "server"]
    assert failures == ["data: data is not there"]
    assert plan.report() == {"preparing": [], "failed_steps": ["data"]}


def test_a_later_step_that_has_nothing_to_do_is_left_out_and_nothing_is_wrong() -> None:
    log, plan, over = Log(), Plan(), threading.Event()

    def work() -> None:
        raise NothingToDo("no history to learn from")

    plan.on_change = lambda: None if plan.pending() else over.set()
    plan.add("a", log.step("a"))
    plan.add("data", work, needs=("a",), later=True)
    plan.add("train", log.step("train"), needs=("data",), later=True)
    plan.run()
    assert over.wait(SOON)
    assert log.done == ["a"]
    assert plan.report() == {"preparing": [], "failed_steps": []}


def test_the_first_failure_is_raised_and_nothing_begins_after_it() -> None:
    log, plan, go = Log(), Plan(), threading.Event()
    plan.add("slow", gate(go))
    plan.add("after", log.step("after"), needs=("slow",))
    plan.add("bad", log.failing("bad"))
    plan.add("never", log.step("never"), needs=("bad",))
    plan.add("train", log.step("train"), needs=("after",), later=True)
    with pytest.raises(Unavailable, match="bad is not there"):
        plan.run()
    go.set()
    join("slow")
    assert log.done == ["bad"]


def test_an_error_in_a_step_itself_is_raised_too() -> None:
    plan = Plan()

    def work() -> None:
        raise KeyError("missing")

    plan.add("a", work)
    with pytest.raises(KeyError):
        plan.run()


def test_a_callback_that_raises_holds_up_no_step(capfd: pytest.CaptureFixture[str]) -> None:
    log, plan, over = Log(), Plan(), threading.Event()

    def fail(*told: object) -> None:
        if not plan.pending():
            over.set()
        raise OSError("no space left")

    plan.on_change = plan.on_failure = fail
    plan.add("early", log.failing("early"), later=True)
    plan.add("a", log.step("a"))
    plan.add("train", log.step("train"), needs=("a",), later=True)
    plan.add("b", log.step("b"), needs=("a",))
    plan.run()
    assert over.wait(SOON)
    join("early", "train")  # which print what was raised
    assert sorted(log.done) == ["a", "b", "early", "train"]
    assert "no space left" in capfd.readouterr().err


def test_a_step_that_exits_is_a_failure_as_well() -> None:
    plan = Plan()
    plan.add("a", lambda: sys.exit(3))
    with pytest.raises(SystemExit):
        plan.run()


def test_what_a_step_needs_has_to_be_there() -> None:
    with pytest.raises(AssertionError, match="needs"):
        Plan().add("b", lambda: None, needs=("a",))
