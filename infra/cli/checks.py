"""The checks that every change passes: lint, format, types, the pages' types, examples in docstrings."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from infra.system.repository import REPO

PYTHON_CHECKS = (
    ("types", ["-m", "mypy", "."]),
    ("lint", ["-m", "ruff", "check", "."]),
    ("format", ["-m", "ruff", "format", "--check", "."]),
)
SIDE_BY_SIDE = 2
"""Checks that run at once; the longest begins first."""
WITHOUT_EXAMPLES = ("tests", "node_modules")
EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)
NO_EXAMPLES = 5
"""The exit code of pytest where it collected nothing."""
LIMIT_SECONDS = 300.0
"""Limit of one check: the slowest takes some 40 s on two busy cores."""


def run_checks() -> int:
    """Run all checks to their ends; returns the first exit code that is not 0, or 0."""
    checks: list[Callable[[], int]] = [
        partial(_run, name, [sys.executable, *arguments]) for name, arguments in PYTHON_CHECKS
    ]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        codes = [pool.submit(check) for check in (*checks, check_pages, check_examples)]
    return next(filter(None, (code.result() for code in codes)), 0)


def check_examples(repo: Path = REPO) -> int:
    """Run the examples in docstrings; finding none is a failure."""
    modules = modules_with_examples(repo)
    if not modules:
        print("gate: examples: no module has any in its docstrings", flush=True)
        return NO_EXAMPLES
    options = ["--quiet", "--override-ini=addopts=--import-mode=importlib", "--doctest-modules"]
    return _run("examples", [sys.executable, "-m", "pytest", *options, *modules], repo)


def modules_with_examples(repo: Path = REPO) -> list[str]:
    """Returns the paths, relative to the repository's root, of the modules outside tests that show an example."""
    modules = (path.relative_to(repo) for path in repo.glob("[!.]*/**/*.py") if EXAMPLE.search(path.read_text()))
    return sorted(str(path) for path in modules if path.parts[0] not in WITHOUT_EXAMPLES)


def check_pages(repo: Path = REPO) -> int:
    """Check the types of online/pages by the TypeScript that package-lock.json pins; prints a line where that is impossible."""
    if not shutil.which("node") or not shutil.which("npm"):
        print("gate: pages: NOT CHECKED, since node and npm are not both on PATH", flush=True)
        return 0
    if (
        not _has_typescript(repo) and _run("npm ci", ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], repo)
    ):  # a registry that is away must not keep all tests from running; .ci/run says at its end that this was not checked
        print("gate: pages: NOT CHECKED, since npm could not install what package-lock.json names", flush=True)
        return 0
    return _run("pages", ["node", "node_modules/typescript/bin/tsc", "--project", "tsconfig.json"], repo)


def _has_typescript(repo: Path) -> bool:
    """Returns whether the installed version is the pinned one."""
    pinned = json.loads((repo / "package.json").read_text())["devDependencies"]["typescript"]
    try:
        installed = json.loads((repo / "node_modules" / "typescript" / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return False
    return bool(installed == pinned)


def _run(name: str, argv: list[str], folder: Path = REPO) -> int:
    """Run a check and print all that it says at its end, so that it stands together; returns its exit code."""
    try:
        done = subprocess.run(
            argv, cwd=folder, timeout=LIMIT_SECONDS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except subprocess.TimeoutExpired:
        print(f"gate: {name}: not done within {LIMIT_SECONDS:g} s", flush=True)
        return 1
    print(f"gate: {name}\n{done.stdout}", end="", flush=True)
    return done.returncode
