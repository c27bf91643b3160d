"""`./martlet test`: runs all that a change must pass, fastest failures first.

First the checks; then the pure tests, on all cores; then the other stages, three side by side, each begun as soon as there is
room: what one waits for leaves the cores to the others; the pages come last, alone: beside trainings a home on two cores gives
late and degraded lists, which pages ask for again. Each stage is a pytest process of its own (tests/stages.py).
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from infra.cli.checks import run_checks
from infra.services.environment import python_env
from infra.system.repository import REPO

Commands = Sequence[Sequence[str]]
PURE, SERVICES = "pure", "services"
STAGES = (("broken", "home", "keras", "spark", SERVICES), ("pages",))
"""Groups of stages, one after the other; those of a group begin in this order, SIDE_BY_SIDE at once: first those that run
on one core for long, last those that run on all."""
SIDE_BY_SIDE = 3
COMPILE = ("features.kernel.compile_kernel", "online.recall.compile_recall")
"""Programs that compile what events are folded and items recalled with: once, while one core is free, and not in each process of
the pure tests."""
SEEDED = {"home", "broken"}
"""Stages whose homes start from seeds: these are made before, so that they do not count against a test's time limit."""


class Times:
    """Measures the seconds of each stage, for the summary at the end."""

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
    """Run the checks and tests; returns the exit code. quick: only checks and pure tests, with fewer examples of each
    property, others each time; everything: also soaks, random examples and fresh seeds; arguments: run one plain pytest with them
    instead, without checks. Running no test is a failure."""
    chosen = [] if everything else ["-m", "not soak"]
    if everything:
        os.environ["MARTLET_TEST_PROFILE"] = "nightly"
    elif quick:
        os.environ["MARTLET_TEST_PROFILE"] = "quick"
    if arguments:
        print("gate: not run, as arguments for pytest were given", flush=True)
        return subprocess.run(_pytest([*chosen, *arguments]), cwd=REPO, env=python_env()).returncode
    times = Times()
    try:
        with times.of("gate"), _compiling():
            code = run_checks()
        if code == 0:
            with times.of(PURE):
                code = subprocess.run(
                    _pytest(["--stage", PURE, "-x", *_on_all_cores("worksteal"), *_reported(PURE), *chosen]),
                    cwd=REPO,
                    env=python_env(),
                ).returncode
        if code == 0 and not quick:
            with _seeds(fresh=everything):
                codes = [run_stages(_commands(group, chosen), times) for group in STAGES]
                code = next(filter(None, codes), 0)
    finally:
        times.show()
    return code


def plant_faults(arguments: Sequence[str]) -> int:
    """Check that the tests catch planted faults (tests/mutations); returns the exit code."""
    return subprocess.run([sys.executable, "-m", "tests.mutations", *arguments], cwd=REPO, env=python_env()).returncode


@contextmanager
def _compiling() -> Iterator[None]:
    """Compile beside what is done in this context, which ends when all is compiled. Failing is left to the tests to tell."""
    with ExitStack() as stack:
        for module in COMPILE:
            stack.enter_context(subprocess.Popen([sys.executable, "-m", module], cwd=REPO, env=python_env()))
        yield


@contextmanager
def _seeds(fresh: bool) -> Iterator[None]:
    """Provide the seeds that homes start from (tests/seed.py): cached between runs, or fresh for this run alone."""
    if not fresh:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="martlet-seeds-") as folder:
        os.environ["MARTLET_TEST_CACHE"] = folder
        yield


def _commands(group: Sequence[str], chosen: Sequence[str]) -> dict[str, Commands]:
    """Stage → what it runs, in order."""
    parallel = {SERVICES: _on_all_cores("loadfile")}
    commands: dict[str, Commands] = {
        name: [_pytest(["--stage", name, *parallel.get(name, []), *_reported(name), *chosen])] for name in group
    }
    for name in SEEDED & commands.keys():
        commands[name] = [[sys.executable, "-m", "tests.seed"], *commands[name]]
    return commands


def _pytest(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def _on_all_cores(order: str) -> list[str]:
    """Returns pytest-xdist's options if it is installed; it only saves time. A test that waits leaves its core to another one.
    order: how tests are given to processes; by `loadfile` what a file has in common is made once, by `worksteal` no core waits
    for the last file."""
    workers = 1 + (os.cpu_count() or 1)
    return ["-n", str(workers), "--dist", order] if importlib.util.find_spec("xdist") else []


def _reported(name: str) -> list[str]:
    """Returns the option for a JUnit report in CI's output folder, if there is one."""
    out = os.environ.get("CI_OUT")
    return [f"--junitxml={Path(out) / f'{name}.xml'}"] if out else []


def run_stages(stages: Mapping[str, Commands], times: Times) -> int:
    """Run all stages, SIDE_BY_SIDE at once, each to its end and each output line prefixed with its stage; returns the first exit
    code not 0, or 0."""

    def run(name: str) -> int:
        with times.of(name):
            return _run_stage(name, stages[name])

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return next(filter(None, list(pool.map(run, stages))), 0)


def _run_stage(name: str, commands: Commands) -> int:
    """Run the commands in order until one fails, each output line prefixed with the stage's name; returns the exit code."""
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
                print(f"{name:<8}| {line}", end="", flush=True)
        if process.returncode != 0:
            return process.returncode
    return 0
