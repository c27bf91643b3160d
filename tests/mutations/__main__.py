"""`./martlet test --mutations`: plants each fault in a copy of the tree and says which test caught it."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from tests.mutations.fault import Fault
from tests.mutations.lists import FAULTS
from tests.mutations.runner import QUICK_S, Verdict, try_all

SHARE: Final = 0.95
"""Of those that are tried so many must be caught."""


def tell(verdict: Verdict) -> None:
    word = "caught" if verdict.caught else "NOT CAUGHT"
    slow = "" if verdict.seconds <= QUICK_S else "  slow"
    print(f"{word:10} {verdict.seconds:5.1f} s{slow}  {verdict.fault.name}  [{verdict.by or verdict.odd}]", flush=True)


def summary(verdicts: Sequence[Verdict], faults: Sequence[Fault]) -> int:
    """The last lines; exit code 1 where too few were caught or one can't be planted any more."""
    caught = [each for each in verdicts if each.caught]
    missed = [each for each in verdicts if not each.caught]
    for each in missed:
        print(f"NOT CAUGHT: {each.fault.name} ({each.fault.path}) {each.odd}".rstrip())
    for fault in faults:
        if fault.slow:
            print(f"only by a slow test: {fault.name} ({fault.path}): {fault.slow}")
    slow = sum(each.seconds > QUICK_S for each in caught)
    print(f"{len(caught)} of {len(verdicts)} faults caught, {slow} of them after more than {QUICK_S:.0f} s")
    return 0 if len(caught) >= SHARE * len(verdicts) else 1


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name or file has this in it")
    parser.add_argument("--list", action="store_true", help="name them, and run nothing")
    given = parser.parse_args(argv)
    faults = [fault for fault in FAULTS if given.only in fault.name or given.only in fault.path]
    problems = [f"{fault.name}: {problem}" for fault in faults if (problem := fault.problem()) is not None]
    for problem in problems:
        print(f"can't be planted: {problem}")
    if not faults:
        print(f"no fault has {given.only!r} in its name or file")
    if problems or not faults:
        return 1
    if given.list:
        for fault in faults:
            print(f"{fault.path}: {fault.name}")
        return 0
    return summary(try_all(faults, tell), faults)


if __name__ == "__main__":
    sys.exit(main())
