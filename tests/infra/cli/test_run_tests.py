"""`./martlet test`: each lane runs to its end, a failure is not lost, and arguments go to one pytest."""

import sys
from collections.abc import Sequence

import pytest

from infra.cli.run_tests import Times, run_lanes, run_tests

pytestmark = pytest.mark.services


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("codes", "expected"), [(((0,), (0,)), 0), (((0, 3), (0,)), 3), (((3, 0), (0,)), 3), (((0,), (5,)), 5)]
)
def test_a_lane_ends_with_its_first_failure_and_the_others_go_on(
    codes: tuple[Sequence[int], ...], expected: int, capfd: pytest.CaptureFixture[str]
) -> None:
    lanes = {
        f"l{lane}": [python(f"print('{lane} says {code}'); raise SystemExit({code})") for code in each]
        for lane, each in enumerate(codes)
    }
    times = Times()
    assert run_lanes(lanes, times) == expected
    times.show()
    shown = capfd.readouterr().out
    for lane, each in enumerate(codes):
        failed = next((at for at, code in enumerate(each) if code), len(each))
        for at, code in enumerate(each):
            assert (f"l{lane}   | {lane} says {code}\n" in shown) == (at <= failed)
        assert f"lane l{lane} " in shown.splitlines()[-1]


def test_arguments_go_to_one_pytest_and_the_gate_says_that_it_does_not_run(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_tests(False, False, ["tests/features/test_clock.py", "-q", "-p", "no:cacheprovider"]) == 0
    shown = capfd.readouterr().out
    assert "gate: not run" in shown
    assert " passed" in shown


def test_that_no_test_ran_is_a_failure() -> None:
    assert run_tests(False, False, ["tests/features/test_clock.py", "-q", "-k", "no_such_test"]) == 5
