"""The list of planted faults does not rot: each can still be planted, and each names tests that are there. None is, here."""

from pathlib import Path

import pytest

from tests.mutations.fault import REPO, Fault, ids_by_name, ids_of
from tests.mutations.lists import FAULTS


@pytest.fixture(scope="module")
def named() -> dict[str, list[str]]:
    return ids_by_name(REPO)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_can_be_planted_and_its_tests_are_there(fault: Fault, named: dict[str, list[str]]) -> None:
    assert fault.problem() is None
    assert fault.old != fault.new
    assert fault.tests or fault.slow
    missing = [name for name in (*fault.tests, *filter(None, [fault.slow])) if name not in named]
    assert not missing, f"{fault.name}: no such tests"
    assert len(ids_of(fault, named)) >= len(fault.tests)


def test_there_are_enough_and_each_is_another() -> None:
    assert len(FAULTS) >= 100
    assert sum(bool(fault.tests) for fault in FAULTS) >= 0.9 * len(FAULTS), "a slow test is seldom run"
    assert (
        len({fault.name for fault in FAULTS})
        == len({(fault.path, fault.old, fault.new) for fault in FAULTS})
        == len(FAULTS)
    )


def test_planting_changes_one_place_and_what_does_not_fit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("one = 1\ntwo = 1\n")
    assert Fault("x", "a.py", "one = 1", "one = 2").plant(tmp_path) == "one = 1\ntwo = 1\n"
    assert file.read_text() == "one = 2\ntwo = 1\n"
    assert (
        Fault("x", "a.py", "one = 1", "").problem(tmp_path) == "a.py: expected the text once, got it 0 times: 'one = 1'"
    )
    assert Fault("x", "b.py", "", "").problem(tmp_path) == "b.py: no such file"
    assert (
        Fault("x", "a.py", "two = 1", "two =").problem(tmp_path)
        == "a.py: expected Python with the fault in it, got invalid syntax in line 2"
    )
    with pytest.raises(ValueError, match="got it 2 times"):
        Fault("x", "a.py", " = ", "").plant(tmp_path)
