"""A home of a benchmark's own, with everything that `up` starts."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.harness.homes import Running
from infra.home.paths import Home
from infra.services.environment import python_env
from infra.system.repository import REPO

TIMEOUT: Final = 900.0
"""Seconds that a first start may take, which makes a base and trains."""


@contextmanager
def started(folder: Path, history: Path | None, settings: str, *options: str) -> Iterator[Running]:
    """Provide a home in `folder`, up while the context lasts. history: the folder of a home that has never run, to begin from a
    copy of it; settings: its martlet.toml; options: of `up`."""
    if history is not None:
        shutil.copytree(history, folder)
    folder.mkdir(exist_ok=True)
    (folder / "martlet.toml").write_text(settings)
    try:
        _command("up", "--home", str(folder), "--detach", "--wait", *options)
        yield Running(Home(folder))
    finally:
        _command("down", "--home", str(folder))


def _command(*arguments: str) -> None:
    """Run a command of the project."""
    subprocess.run([sys.executable, "-m", "infra", *arguments], env=python_env(), cwd=REPO, check=True, timeout=TIMEOUT)
