"""Runs a graph of steps, each as soon as the steps that it needs are done, several in parallel.

    plan = Plan()
    plan.add("Redis", start_redis)
    plan.add("base into Redis", load, needs=("base", "Redis"))
    plan.run()

Steps that nobody waits for can be `later`: `run` returns without them, and `pending` lists those still to come.
"""

import contextlib
import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ParamSpec

from features.errors import MartletError

P = ParamSpec("P")


class NothingToDo(MartletError):
    """A step has nothing to work on as things are: it is left out with all that need it, and nothing is wrong."""


@dataclass
class _Step:
    name: str
    work: Callable[[], None]
    needs: tuple[str, ...]
    later: bool
    since: int | None = None
    done: bool = False
    failed: bool = False
    """Whether it will never be done: its work failed, or a step's that it needs."""
    is_wrong: bool = False
    """Whether its own work failed, and not for want of anything to do."""


@dataclass(frozen=True)
class Pending:
    """A step that is not done. since: the wall time (ms) when it began; None while it waits for another."""

    name: str
    since: int | None


class Plan:
    """A graph of steps. `run` starts it; each step runs in a thread of its own."""

    def __init__(self) -> None:
        self.on_change: Callable[[], object] = lambda: None
        """Called whenever a later step has begun or ended, in the step's thread …"""
        self.on_failure: Callable[[str, BaseException], object] = lambda name, error: None
        """… and with its name and error where it has failed. What either of them raises is printed, and holds up no step."""
        self._steps: dict[str, _Step] = {}
        self._lock = threading.Lock()
        self._outcomes: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._cancelled = False

    def add(self, name: str, work: Callable[[], None], needs: Sequence[str] = (), later: bool = False) -> None:
        """A step to be done after `needs`, which were added before it. Where a later one fails, what needs it is left out and
        all else goes on."""
        missing = [each for each in needs if each not in self._steps]
        assert not missing, f"{name} needs {missing}, which is no step"
        self._steps[name] = _Step(name, work, tuple(needs), later)

    def run(self) -> None:
        """Run every step that is not a later one; on return, the later ones that need nothing else have begun. Raises the
        error of the first step that fails; no other begins then."""
        self._begin_ready()
        try:
            for _ in [each for each in self._steps.values() if not each.later]:
                outcome = self._outcomes.get()
                if outcome is not None:
                    raise outcome
        except BaseException:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Begin no more steps. Running ones are not interrupted: what they wait for must be ended."""
        with self._lock:
            self._cancelled = True

    def pending(self) -> list[Pending]:
        """Returns the later steps that are not done, in their order."""
        with self._lock:
            return [
                Pending(each.name, each.since)
                for each in self._steps.values()
                if each.later and not each.done and not each.failed
            ]

    def failures(self) -> list[str]:
        """Returns the names of the later steps whose work failed, in their order: those that need them are left out."""
        with self._lock:
            return [each.name for each in self._steps.values() if each.later and each.is_wrong]

    def report(self) -> dict[str, list[Any]]:
        """Returns what a status has of the later steps: those still to come, and the names of those whose work failed."""
        preparing = [asdict(each) for each in self.pending()]
        failed = self.failures()  # afterwards: a step that fails in between is in both, not in neither
        return {"preparing": preparing, "failed_steps": failed}

    def _begin_ready(self) -> None:
        with self._lock:
            ready = [] if self._cancelled else [each for each in self._steps.values() if self._is_ready(each)]
            for step in ready:
                step.since = time.time_ns() // 1_000_000
        for step in ready:
            threading.Thread(target=self._do, args=(step,), name=step.name, daemon=True).start()
        if any(step.later for step in ready):
            _call(self.on_change)

    def _is_ready(self, step: _Step) -> bool:
        return step.since is None and not step.failed and all(self._steps[name].done for name in step.needs)

    def _do(self, step: _Step) -> None:
        outcome: BaseException | None = None
        try:
            step.work()
        except BaseException as error:  # raised by `run`, or passed to `on_failure`
            outcome = error
        try:
            self._end(step, outcome)
        finally:
            if not step.later:
                self._outcomes.put(outcome)

    def _end(self, step: _Step, outcome: BaseException | None) -> None:
        with self._lock:
            step.done = outcome is None
            if outcome is not None:
                step.is_wrong = not isinstance(outcome, NothingToDo)
                self._leave_out(step)
            cancelled = self._cancelled
        if outcome is None:
            self._begin_ready()
        elif step.later and not cancelled:
            _call(self.on_failure, step.name, outcome)
        if step.later:
            _call(self.on_change)

    def _leave_out(self, step: _Step) -> None:
        """Mark a step whose work failed, and all that need it, as failed."""
        step.failed = True
        for each in self._steps.values():
            if not each.failed and step.name in each.needs:
                self._leave_out(each)


def _call(callback: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    try:
        callback(*args, **kwargs)
    except Exception:
        with contextlib.suppress(OSError):  # a full disk fails both
            traceback.print_exc()
