"""How much memory there is: the machine's, or a container's where that is less."""

import os
from pathlib import Path

import pytest

from streaming.machine_memory import machine_memory

WHOLE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("limit", "expected"), [("536870912\n", 536870912), ("max\n", WHOLE), (f"{WHOLE * 2}\n", WHOLE)]
)
def test_of_a_container_it_is_the_limit(tmp_path: Path, file: str, limit: str, expected: int) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / file).write_text(limit)
    assert machine_memory(tmp_path) == expected


def test_without_a_container_it_is_the_machines(tmp_path: Path) -> None:
    assert machine_memory(tmp_path) == WHOLE
