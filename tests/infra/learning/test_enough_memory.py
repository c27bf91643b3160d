"""Whether there is enough memory to learn: a machine's, or a container's where that is less."""

import re
from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.home.paths import Home
from infra.learning.enough_memory import FreeMemory, free_mib, lacks_free_memory, lacks_total_memory
from infra.learning.learner_loop import run_for_ever
from infra.learning.learner_view import state_lines
from infra.learning.noted_lack import FILE, NotedLack


@pytest.mark.parametrize(
    ("limit", "used", "stat", "prefix"),
    [
        ("memory.max", "memory.current", "memory.stat", ""),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_"),
    ],
    ids=["version 2", "version 1"],
)
def test_what_is_free_in_the_container_counts_where_that_is_less(
    tmp_path: Path, limit: str, used: str, stat: str, prefix: str
) -> None:
    (tmp_path / "memory").mkdir()
    for name, text in ((limit, "max"), (used, str(300 << 20))):
        (tmp_path / name).write_text(f"{text}\n")
    files = f"{prefix}active_file {20 << 20}\n{prefix}inactive_file {30 << 20}\n"
    (tmp_path / stat).write_text(f"rss 5\n{files}")
    assert free_mib(tmp_path) > 100, "no limit"
    (tmp_path / limit).write_text(f"{350 << 20}\n")
    assert free_mib(tmp_path) == 100, "cached files give way"
    (tmp_path / limit).write_text(f"{200 << 20}\n")
    assert free_mib(tmp_path) == 0


def test_what_memory_is_lacking_is_printed_now_and_then_and_by_hand_is_an_error() -> None:
    lines, lacking = list[str](), ["too little"]
    memory = FreeMemory(lines.append, find=lambda: lacking[0] if lacking else None)
    assert (memory.is_enough(), memory.is_enough()) == (False, False)
    assert lines == ["too little"]
    with pytest.raises(Unavailable, match="too little"):
        FreeMemory(lines.append, once=True, find=lambda: "too little").is_enough()
    lacking.clear()
    assert memory.is_enough()


def test_a_learner_that_lacks_memory_says_so_wherever_one_asks(home: Home) -> None:
    """It does so while it runs; whoever asks is in a container of its own."""
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {}}')
    printed: list[str] = []
    shown: list[str] = []

    def look(text: str) -> None:
        printed.append(text)
        shown.extend(state_lines(home))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_for_ever(home, look, total=lambda: 6_143)
    assert printed == ["learning needs 6144 MiB of memory, there is room for 6143 MiB"]
    assert re.fullmatch(rf"nothing is learned, 20[-0-9]+ [:0-9]+: {printed[0]}", shown[0])
    assert shown[1:] == ["nothing was learned yet"]
    assert list(state_lines(home)) == shown[1:], "nobody learns any more"


def test_what_is_lacking_is_noted_until_nothing_is(home: Home) -> None:
    (home.path / "serving.json").write_text('{"judge": {}, "learn": {}}')
    lack = NotedLack(home)
    for _ in range(2):
        lack.note("too little")
        assert next(state_lines(home)).endswith(": too little")
        lack.note(None)
        assert next(state_lines(home)) == "nothing was learned yet"
    (home.run / FILE).write_text("{}")
    assert next(state_lines(home)) == "nothing was learned yet"


def test_as_much_as_is_needed_is_enough() -> None:
    assert (lacks_total_memory(lambda: 6_144), lacks_free_memory(lambda: 2_048)) == (None, None)
    assert lacks_free_memory(lambda: 2_047) == "learning needs 2048 MiB of free memory, there is room for 2047 MiB"
