"""A wait has more time where the machine has become slower since the tests began, once."""

from collections.abc import Iterator

import pytest

from tests.patience import SLOWEST, Deadline, slowness


class Machine:
    """A clock that is set by hand, and how slow it says that it is, which is measured anew each time."""

    def __init__(self, *measured: float) -> None:
        self.now = 100.0
        self._measured: Iterator[float] = iter(measured)

    def wait(self, seconds: float) -> Deadline:
        return Deadline(seconds, 2.0, lambda: next(self._measured), lambda: self.now)


@pytest.mark.parametrize(("now", "seconds"), [(1.0, 20), (2.0, 20), (5.0, 50)])
def test_a_wait_is_extended_as_the_machine_is_slower_now_and_never_shortened(now: float, seconds: float) -> None:
    machine = Machine(now)
    wait = machine.wait(10)
    machine.now += 19.9
    assert not wait.has_passed()
    machine.now = 100.0 + seconds - 0.1
    assert not wait.has_passed()
    machine.now = 100.0 + seconds
    assert wait.has_passed()
    assert (wait.seconds, wait.waited) == (seconds, seconds)


def test_a_wait_is_extended_only_once() -> None:
    machine = Machine(3.0, 5.0)
    wait = machine.wait(10)
    machine.now += 25
    assert not wait.has_passed()
    machine.now += 5
    assert wait.has_passed()
    assert wait.has_passed()


def test_slowness_has_bounds() -> None:
    assert 1 <= slowness() <= SLOWEST
