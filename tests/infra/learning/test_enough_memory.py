"""Whether there is enough memory to learn: a machine's, or a container's where that is less."""

from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.learning.enough_memory import FreeMemory, free_mib


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
