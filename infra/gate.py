"""The gate that every change passes: lint, format, types."""

import subprocess
import sys

from infra.home import REPO

CHECKS = (
    ("lint", ["-m", "ruff", "check", "."]),
    ("format", ["-m", "ruff", "format", "--check", "."]),
    ("types", ["-m", "mypy", "."]),
)


def run_gate() -> int:
    """Run all checks; the first exit code that is not 0, or 0."""
    worst = 0
    for name, arguments in CHECKS:
        print(f"gate: {name}", flush=True)
        code = subprocess.run([sys.executable, *arguments], cwd=REPO).returncode
        worst = worst or code
    return worst
