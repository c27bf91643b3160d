"""Plants faults in copies of the tree, never in the tree itself, and looks whether their tests fail."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from tests.mutations.fault import REPO, Fault, ids_by_name, ids_of

AT_ONCE: Final = 2
QUICK_S: Final = 20.0
"""A fault should be told within so many seconds, on a machine that does nothing else."""
BOUND_S: Final = 120.0
"""A run of one fault's tests that takes so long hangs: it is killed, and nobody has caught anything."""
BOUND_A_TEST_S: Final = 2.0
"""Of all tests without a fault, what is compiled for them included."""
_LEFT_OUT: Final = (".git", ".venv", "__pycache__", "node_modules", ".*_cache", ".hypothesis", ".martlet")
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) \S+?::(?:Test\w+::)?(\w+)", re.MULTILINE)
_PYTEST: Final = ("-x", "-q", "--tb=no", "--no-header", "--show-capture=no", "--durations=0", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Verdict:
    """caught: a test failed; by: which one; seconds: until then; odd: what pytest said last, where it did not run to its end."""

    fault: Fault
    caught: bool
    by: str
    seconds: float
    odd: str = ""


class Copy:
    """A copy of the tree, and a process that runs tests in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(REPO, root, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
        if (REPO / ".venv").exists():
            (root / ".venv").symlink_to((REPO / ".venv").resolve())
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "tests.mutations.worker"],
            cwd=root,
            env=os.environ
            | {
                "PYTHONPATH": str(root),
                "PYTHONSAFEPATH": "1",
                "PYTHONDONTWRITEBYTECODE": "1",  # a file changed twice within a second would be taken for the one before
                "MARTLET_TEST_PROFILE": "mutations",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, tests: Sequence[str], bound: float = BOUND_S) -> tuple[int, str]:
        """pytest's exit code and output; it is killed after `bound` seconds. Raises RuntimeError where the worker has ended."""
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.write(json.dumps([bound, [*_PYTEST, *tests]]) + "\n")
        self._worker.stdin.flush()
        answer = self._worker.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that runs tests has ended with {self._worker.wait(10)}")
        code, said = json.loads(answer)
        return code, said

    def close(self) -> None:
        assert self._worker.stdin is not None
        self._worker.stdin.close()
        try:
            self._worker.wait(30)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait(10)

    def attempt(self, fault: Fault, tests: Sequence[str]) -> Verdict:
        """Plant a fault, run tests, and take it out again."""
        whole = fault.plant(self.root)
        began = time.monotonic()
        try:
            code, said = self.run(tests)
        finally:
            (self.root / fault.path).write_text(whole)
        by = _FAILED.search(said)
        lines = [line for line in said.splitlines() if line.strip()]
        odd = "" if code in (0, 1) else f"exit code {code}: {(lines or ['nothing was said'])[-1]}"
        return Verdict(fault, code == 1, by[1] if by else "", time.monotonic() - began, odd)


@contextmanager
def copies(count: int) -> Iterator["SimpleQueue[Copy]"]:
    """So many, in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="martlet-mutations-") as folder:
        made = [Copy(Path(folder) / str(number)) for number in range(count)]
        free: SimpleQueue[Copy] = SimpleQueue()
        for each in made:
            free.put(each)
        try:
            yield free
        finally:
            for each in made:
                each.close()


def try_all(faults: Sequence[Fault], tell: Callable[[Verdict], None]) -> list[Verdict]:
    """All that quick tests should catch, AT_ONCE at a time. Raises RuntimeError if a test fails without any fault."""
    named = ids_by_name(REPO)
    quick = [fault for fault in faults if fault.tests]
    if not quick:
        return []
    with copies(AT_ONCE) as free, ThreadPoolExecutor(AT_ONCE) as pool:
        first = free.get()
        tests = sorted({test for fault in quick for test in ids_of(fault, named)})
        code, said = first.run(tests, BOUND_S + BOUND_A_TEST_S * len(tests))
        free.put(first)
        if code != 0:
            raise RuntimeError(f"without any fault the tests fail, with exit code {code}:\n{said[-2000:]}")

        def one(fault: Fault) -> Verdict:
            copy = free.get()
            try:
                verdict = copy.attempt(fault, ids_of(fault, named))
            finally:
                free.put(copy)
            tell(verdict)
            return verdict

        return list(pool.map(one, quick))
