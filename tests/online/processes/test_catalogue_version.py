"""Versions of the catalogue in mapped memory: the newest that any process has acknowledged."""

import subprocess
import sys
from pathlib import Path

from online.processes.catalogue_version import CatalogueVersions
from tests.patience import patience


def test_a_process_alone_is_never_behind() -> None:
    alone = CatalogueVersions(None)
    alone.note(7)
    assert alone.newest == 0


def test_the_newest_of_any_process_is_seen_by_all_and_never_goes_back(tmp_path: Path) -> None:
    one, other = CatalogueVersions(tmp_path, 1), CatalogueVersions(tmp_path, 2)
    one.note(5)
    other.note(9)
    one.note(7)
    other.note(8)
    assert (one.newest, other.newest) == (9, 9)
    assert CatalogueVersions(tmp_path, 1).newest == 9  # of a process that was started again


def test_beyond_the_end_of_the_log_nobody_has_acknowledged_anything(tmp_path: Path) -> None:
    one, other = CatalogueVersions(tmp_path, 1), CatalogueVersions(tmp_path, 2)
    one.note(9)
    other.note(5)
    one.cap(6)
    other.cap(6)
    assert one.newest == 6
    one.note(7)
    assert other.newest == 7
    CatalogueVersions(None).cap(6)


def test_another_process_sees_it(tmp_path: Path) -> None:
    own = CatalogueVersions(tmp_path, 1)
    program = (
        "import sys; from pathlib import Path; from online.processes.catalogue_version import CatalogueVersions as V"
    )
    argv = [sys.executable, "-c", f"{program}; V(Path(sys.argv[1]), 2).note(1 << 40)", str(tmp_path)]
    subprocess.run(argv, check=True, timeout=patience(60))
    assert own.newest == 1 << 40
