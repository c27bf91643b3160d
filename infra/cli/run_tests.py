"""`./martlet test`: what a change must pass, in the order in which it fails soonest.

The gate; then the pure tests, on all cores; then two lanes side by side, since both wait a lot: one has the shared home, the
other all that trains, runs Spark or breaks things. Each lane is a pytest of its own (tests/stages.py says what a stage is).
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.cli.checks import run_gate
from infra.services.environment import python_env
from infra.system.repository import REPO

Commands = Sequence[Sequence[str]]
PURE = "pure"
LANES = {"home": "home", "work": "keras,spark,services,broken"}
"""Name → the stages that it runs, one after the other."""


class Times:
    """Seconds of each stage, for the lines at the end."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._began = time.monotonic()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = time.monotonic() - began

    def show(self) -> None:
        whole = {**self._seconds, "all": time.monotonic() - self._began}
        print("\nseconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in whole.items()), flush=True)


def run_tests(quick: bool, everything: bool, arguments: Sequence[str]) -> int:
    """Run them; the exit code. quick: the gate and the pure tests; everything: soaks, random examples and fresh seeds, too;
    arguments: those of one plain pytest instead, without the gate. That no test ran is a failure."""
    chosen = [] if everything else ["-m", "not soak"]
    if everything:
        os.environ["MARTLET_TEST_PROFILE"] = "nightly"
    if arguments:
        print("gate: not run, as arguments for pytest were given", flush=True)
        return subprocess.run(_pytest([*chosen, *arguments]), cwd=REPO, env=python_env()).returncode
    times = Times()
    try:
        with times.of("gate"):
            code = run_gate()
        if code == 0:
            with times.of(PURE):
                code = subprocess.run(
                    _pytest(["--stage", PURE, "-x", *_on_all_cores(), *_reported(PURE), *chosen]),
                    cwd=REPO,
                    env=python_env(),
                ).returncode
        if code == 0 and not quick:
            with _seeds(fresh=everything):
                code = run_lanes(_lanes(chosen), times)
    finally:
        times.show()
    return code


def plant_faults(arguments: Sequence[str]) -> int:
    """Whether the tests catch the planted faults (tests/mutations); the exit code."""
    return subprocess.run([sys.executable, "-m", "tests.mutations", *arguments], cwd=REPO, env=python_env()).returncode


@contextmanager
def _seeds(fresh: bool) -> Iterator[None]:
    """What homes start from (tests/seed.py): kept from run to run, or made for this run alone."""
    if not fresh:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="martlet-seeds-") as folder:
        os.environ["MARTLET_TEST_CACHE"] = folder
        yield


def _lanes(chosen: Sequence[str]) -> dict[str, Commands]:
    lanes: dict[str, Commands] = {
        name: [_pytest(["--stage", stages, *_reported(name), *chosen])] for name, stages in LANES.items()
    }
    # Seeds are made before, so that the bound of a test does not hold for them.
    return {**lanes, "home": [[sys.executable, "-m", "tests.seed"], *lanes["home"]]}


def _pytest(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def _on_all_cores() -> list[str]:
    """pytest-xdist's option, where that is installed: this is a saving, not a need."""
    return ["-n", str(os.cpu_count() or 1)] if importlib.util.find_spec("xdist") else []


def _reported(name: str) -> list[str]:
    """A JUnit file in the folder that CI keeps, if there is one."""
    out = os.environ.get("CI_OUT")
    return [f"--junitxml={Path(out) / f'{name}.xml'}"] if out else []


def run_lanes(lanes: Mapping[str, Commands], times: Times) -> int:
    """All of them at once, to their ends, each line behind its lane's name; the first exit code that is not 0, or 0."""
    codes: dict[str, int] = {}

    def run(name: str, commands: Commands) -> None:
        with times.of(f"lane {name}"):
            codes[name] = _run_lane(name, commands)

    threads = [threading.Thread(target=run, args=lane, name=lane[0]) for lane in lanes.items()]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return next((codes[name] for name in lanes if codes[name] != 0), 0)


def _run_lane(name: str, commands: Commands) -> int:
    """One command after the other until one fails, each line shown behind the lane's name."""
    for command in commands:
        with subprocess.Popen(
            command,
            cwd=REPO,
            env=python_env({"PYTHONUNBUFFERED": "1"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(f"{name:<5}| {line}", end="", flush=True)
        if process.returncode != 0:
            return process.returncode
    return 0
