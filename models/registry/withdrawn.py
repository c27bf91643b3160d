"""What was taken away of a model's versions, on purpose: versions that are merely missing may have been lost.

    <models>/<name>/.withdrawn    a line for each, NUMBER-CONTENT, the newest last (`models.registry.manifest.content_id`)

A number is given once in one copy of the models, but copies may give the same one twice: so the content is named, too.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from features.durable import write_whole
from features.errors import Broken
from models.registry.manifest import content_id, read_manifest

WITHDRAWN: Final = ".withdrawn"
LIMIT: Final = 1_000
"""Of those that are remembered, by number the newest."""


class Withdrawn(NamedTuple):
    """A version that was taken away. content: "" where its manifest could not be read."""

    version: int
    content: str

    def __str__(self) -> str:
        return f"{self.version}-{self.content}"


def parse_withdrawn(text: str) -> Withdrawn | None:
    """Returns what a line says, None for one that says nothing.

    >>> parse_withdrawn("7-0123456789abcdef"), parse_withdrawn("seven")
    (Withdrawn(version=7, content='0123456789abcdef'), None)
    """
    number, dash, content = text.strip().partition("-")
    return Withdrawn(int(number), content) if dash and number.isascii() and number.isdecimal() else None


def read_withdrawn(models_dir: Path, name: str) -> set[Withdrawn]:
    """Returns what was taken away of a model. Raises Broken where that can't be read."""
    path = models_dir / name / WITHDRAWN
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return set()
    except (OSError, UnicodeDecodeError) as error:
        raise Broken(f"{path} can't be read: {error}") from error
    return {each for line in lines if (each := parse_withdrawn(line)) is not None}


def remembered(withdrawn: Iterable[Withdrawn]) -> list[Withdrawn]:
    """Returns those that are remembered, ascending."""
    return sorted(withdrawn)[-LIMIT:]


def note_withdrawn(models_dir: Path, name: str, withdrawn: Iterable[Withdrawn]) -> None:
    """Remember that these were taken away; the model's lock must be held."""
    before = read_withdrawn(models_dir, name)
    after = remembered(before | set(withdrawn))
    if set(after) != before:
        write_whole(models_dir / name / WITHDRAWN, "".join(f"{each}\n" for each in after).encode())


def withdrawn_as(folder: Path, version: int) -> Withdrawn:
    """Returns how a version is remembered once it is taken away."""
    try:
        return Withdrawn(version, content_id(read_manifest(folder)))
    except Broken:
        return Withdrawn(version, "")
