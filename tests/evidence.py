"""What a failing test shows of the homes that run: their status, and the end of each log.

Shown once a home, with the first test that fails; where CI_OUT names a folder, a copy is kept there for every failing test.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from infra.system.processes import tail
from tests import home

LINES = 50
_shown: set[Path] = set()


def state_of(folder: Path) -> str:
    """The home's status.json and the last lines of each of its logs, as one text."""
    status = folder / "run" / "status.json"
    parts = [f"-- {status}", status.read_text() if status.exists() else "(none)"]
    for log in sorted((folder / "logs").glob("*.log")):
        parts += [f"-- {log}", tail(log, LINES)]
    return "\n".join(parts)


def keep(folder: Path, test: str, out: Path) -> Path:
    """Copy status and logs to `out`; where to."""
    kept = out / "homes" / f"{re.sub(r'[^A-Za-z0-9_]+', '-', test)[-120:]}-{folder.name}"
    for name in ("run", "logs"):
        if (folder / name).is_dir():
            # A home that runs goes on writing and replacing files: what is gone meanwhile is no error.
            shutil.copytree(folder / name, kept / name, dirs_exist_ok=True, ignore=_sockets, copy_function=_copy)
    return kept


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket() or (Path(folder) / name).is_fifo()]


def _copy(source: str, target: str) -> None:
    try:
        shutil.copy(source, target)
    except FileNotFoundError:
        Path(target).touch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    if report.failed:
        for folder in home.ALIVE:
            if folder not in _shown:
                _shown.add(folder)
                report.sections.append((f"home {folder}", state_of(folder)))
            if out := os.environ.get("CI_OUT"):
                kept = keep(folder, item.nodeid, Path(out))
                report.sections.append(("home kept", str(kept)))
    return report
