"""`./martlet test`: each stage runs to its end, a failure is not lost, and arguments go to one pytest."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.cli.run_tests import PURE, SIDE_BY_SIDE, STAGES, Times, run_stages, run_tests
from tests.stages import STAGES as ALL_STAGES

pytestmark = pytest.mark.services


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("codes", "expected"), [(((0,), (0,)), 0), (((0, 3), (0,)), 3), (((3, 0), (0,)), 3), (((0,), (5,)), 5)]
)
def test_a_stage_ends_with_its_first_failure_and_the_others_go_on(
    codes: tuple[Sequence[int], ...], expected: int, capfd: pytest.CaptureFixture[str]
) -> None:
    stages = {
        f"s{number}": [python(f"print('{number} says {code}'); raise SystemExit({code})") for code in each]
        for number, each in enumerate(codes)
    }
    times = Times()
    assert run_stages(stages, times) == expected
    times.show()
    shown = capfd.readouterr().out
    for number, each in enumerate(codes):
        failed = next((at for at, code in enumerate(each) if code), len(each))
        for at, code in enumerate(each):
            assert (f"s{number}      | {number} says {code}\n" in shown) == (at <= failed)
        assert f"s{number} " in shown.splitlines()[-1]


def test_no_more_stages_run_at_once_than_there_is_room_for(tmp_path: Path) -> None:
    code = "import os, sys, time; from pathlib import Path; f = Path(sys.argv[1]) / str(os.getpid()); f.touch(); "
    code += "time.sleep(.3); n = len(list(f.parent.iterdir())); f.unlink(); raise SystemExit(n > int(sys.argv[2]))"
    stages = {f"s{number}": [[*python(code), str(tmp_path), str(SIDE_BY_SIDE)]] for number in range(5)}
    assert run_stages(stages, Times()) == 0


def test_every_stage_of_the_tests_runs() -> None:
    assert sorted([PURE, *(name for group in STAGES for name in group)]) == sorted(ALL_STAGES)


def test_arguments_go_to_one_pytest_and_the_gate_says_that_it_does_not_run(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_tests(False, False, ["tests/features/test_clock.py", "-q", "-p", "no:cacheprovider"]) == 0
    shown = capfd.readouterr().out
    assert "gate: not run" in shown
    assert " passed" in shown


def test_that_no_test_ran_is_a_failure() -> None:
    assert run_tests(False, False, ["tests/features/test_clock.py", "-q", "-k", "no_such_test"]) == 5
