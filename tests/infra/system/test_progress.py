"""Progress is printed for whoever reads it; what it tells of does not depend on them."""

import io
import sys

import pytest

from infra.system.progress import Steps


class Gone(io.StringIO):
    """Output whose reader has gone away, as that of a pipe or of a closed terminal. `terminal`: whether it is one."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str, /) -> int:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize(
    "stdout", [Gone(terminal=True), Gone(terminal=False), None], ids=["terminal", "pipe", "closed"]
)
def test_steps_are_done_though_nobody_reads_of_them(stdout: Gone | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stdout)
    steps, done = Steps(), []
    with steps.step("savepoint") as notes:
        notes.append("taken")
        done.append("savepoint")
    steps.print_line("stopping")
    assert done == ["savepoint"]
    assert "savepoint" in steps.seconds


def test_a_step_that_fails_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps()
    with pytest.raises(ValueError, match="bad"), steps.step("Kafka"):
        raise ValueError("bad")
    assert "Kafka" in (out := capsys.readouterr().out)
    assert "failed after" in out
    assert steps.seconds == {}
