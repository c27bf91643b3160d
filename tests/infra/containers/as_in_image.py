"""`python -m tests.infra.containers.as_in_image LOCK[,LOCK] ARGUMENT…`: the command line, in a Python without other packages than
those of the locks, as in a role's image. Without arguments it imports modules named on standard input, a line each."""

import importlib
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import packages_distributions
from types import ModuleType

from infra.system.locks import FOLDER, pins


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Locked(PathFinder):
    """Finds what Python's own finder does, but for packages that are in no lock given."""

    refused: frozenset[str] = frozenset()

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname.partition(".")[0] in cls.refused else super().find_spec(fullname, path, target)


def hide_unlocked(locks: Sequence[str]) -> None:
    """From now on no package can be imported that none of the locks has."""
    allowed = {_normal(pin.name) for lock in locks for pin in pins(FOLDER / f"{lock}.lock")}
    Locked.refused = frozenset(
        module for module, names in packages_distributions().items() if not {*map(_normal, names)} & allowed
    )
    sys.meta_path[sys.meta_path.index(PathFinder)] = Locked
    for name in [each for each in sys.modules if each.partition(".")[0] in Locked.refused]:
        del sys.modules[name]


def main() -> None:
    locks, *arguments = sys.argv[1:]
    hide_unlocked(locks.split(","))
    if not arguments:
        for line in sys.stdin:
            importlib.import_module(line.strip())
        return
    sys.argv = ["martlet", *arguments]
    from infra.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
