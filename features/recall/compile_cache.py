"""When a compiled function is out of date. Numba compares the source file of the function alone, but what the function calls and
the constants that it reads are compiled into it: here all files count that the function's file imports, directly or not.
"""

import re
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from numba.core import caching

ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGE: Final = "features"
_IMPORT: Final = re.compile(rf"^from ({_PACKAGE}[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)


@cache
def stamp_of(path: Path, root: Path = ROOT) -> str:
    """Digest of a source file and of all files of the package below `root` that it imports, directly or not."""
    found, waiting = {path}, [path]
    while waiting:
        for imported in _imported(waiting.pop(), root) - found:
            found.add(imported)
            waiting.append(imported)
    digest = blake2b(digest_size=8)
    for each in sorted(found):
        digest.update(blake2b(each.read_bytes()).digest())
    return digest.hexdigest()


def _imported(path: Path, root: Path) -> set[Path]:
    """The files of the package that a file imports: modules, and names that are modules."""
    modules = set()
    for module, names in _IMPORT.findall(path.read_text(encoding="utf-8")):
        modules |= {module, *(f"{module}.{name}" for name in re.findall(r"\w+", names))}
    files = (root / f"{module.replace('.', '/')}.py" for module in modules)
    return {file for file in files if file.is_file()}


@cache
def remove_outdated(folder: Path, module: str, stamp: str) -> None:
    """Remove what was compiled of a module under another stamp. Numba would read it first, and fail where a class is gone that it
    names."""
    for file in folder.glob(f"{module}.*.nb[ic]"):
        if f"-{stamp}." not in file.name:
            file.unlink(missing_ok=True)


class _Stamped:
    """The stamp is part of the names of files, which so are never read once they are out of date."""

    _py_file: str

    def get_source_stamp(self) -> str:
        return stamp_of(Path(self._py_file).resolve())

    def get_disambiguator(self) -> str:
        return self.get_source_stamp()

    def ensure_cache_path(self) -> None:
        super().ensure_cache_path()  # type: ignore[misc]  # of Numba's locators
        folder = Path(self.get_cache_path())  # type: ignore[attr-defined]
        remove_outdated(folder, Path(self._py_file).stem, self.get_source_stamp())


class InGivenFolder(_Stamped, caching.UserProvidedCacheLocator):
    """NUMBA_CACHE_DIR, where it is set, else …"""


class InSourcesCache(_Stamped, caching.InTreeCacheLocator):
    """… the folder of the source, unless it can't be written, then …"""


class InUsersCache(_Stamped, caching.UserWideCacheLocator):
    """… the user's own folder for caches."""


LOCATORS: Final[Any] = ",".join(f"{__name__}.{each.__name__}" for each in (InGivenFolder, InSourcesCache, InUsersCache))
"""As Numba's setting of that name takes them."""
