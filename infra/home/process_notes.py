"""Files of a home that say which processes run for it. Each names the folder that it lies in: in a copy of the home it is of
another one, whose processes nobody is to stop from there."""

from pathlib import Path
from typing import Any

from infra.home.paths import read_json, write_json

_FOLDER = "folder"


def note_processes(file: Path, content: dict[str, Any]) -> None:
    """Replace what a file says of processes."""
    write_json(file, {_FOLDER: _names_of(file.parent), **content}, sync=False)


def noted_processes(file: Path) -> dict[str, Any] | None:
    """Returns what a file says of processes, None where there is none, or it is of another folder. What a version of before has
    written names none, and is believed. Raises Broken for what is no object."""
    content = read_json(file, sync=False)
    if content is None or (_FOLDER in content and not {*content[_FOLDER]} & {*_names_of(file.parent)}):
        return None
    return content


def _names_of(folder: Path) -> list[str]:
    """Returns a folder's path, and its number on its disk: a folder that is moved has the second still, one whose disk counts
    anew (as that of a container may) the first."""
    seen = folder.stat()
    return [str(folder.resolve()), f"{seen.st_dev}:{seen.st_ino}"]
