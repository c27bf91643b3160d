"""Rejected lines of a data set: they are counted, and the first ones are written to a file of their own for inspection."""

from pathlib import Path
from typing import Final

from features.errors import BadInput

MAX_LINES: Final = 1_000
MAX_CHARACTERS: Final = 400
REFUSED_SHARE: Final = 0.10
"""A file with a greater share of bad lines is not the file it claims to be."""
FILE: Final = "rejected-lines.txt"
LEFT_OUT: Final = "rows-left-out.txt"
"""Rows of a history that the schema does not take."""


class Rejects:
    """Bad lines of one data set's files: `count` of them, the first 1,000 kept; and remarks on what was read but is doubtful."""

    def __init__(self) -> None:
        self.count = 0
        self._lines: list[str] = []
        self._remarks: dict[tuple[str, str], tuple[int, str]] = {}

    @property
    def room(self) -> int:
        """The number of lines that can still be recorded."""
        return MAX_LINES - len(self._lines)

    def add(self, file: str, why: str, line: str) -> None:
        self.count += 1
        self.keep(file, why, line)

    def keep(self, file: str, why: str, line: str) -> None:
        """Keep a line that is counted elsewhere."""
        if self.room > 0:
            self._lines.append(f"{file}\t{why}\t{line[:MAX_CHARACTERS]}")

    def remark(self, what: str, file: str, first: str, count: int = 1) -> None:
        """Note what is doubtful of a file. what: a sentence with places for {count}, {file} and {first}; count: how often it is
        seen here; first: where it is, of which the file's first is told."""
        before, where = self._remarks.get((what, file), (0, first))
        self._remarks[what, file] = before + count, where

    def remarks(self) -> list[str]:
        """A sentence for each file and each thing that is doubtful of it, with how often it was seen."""
        return [
            what.format(count=count, file=file, first=first) for (what, file), (count, first) in self._remarks.items()
        ]

    def write(self, path: Path) -> Path:
        """Write what was kept into a file: file, reason and line, separated by tabs."""
        head = f"# {self.count} lines rejected; the first {len(self._lines)} of them: file, why, line\n"
        path.write_text(head + "".join(f"{line}\n" for line in self._lines), encoding="utf-8", errors="replace")
        return path


def refuse_if_too_many(file: Path, bad: int, good: int, rejects: Rejects, data_dir: Path) -> None:
    """Raise BadInput if more than 10 % of a file's lines are bad."""
    if bad > REFUSED_SHARE * (bad + good):
        raise BadInput(
            str(file),
            f"at most {REFUSED_SHARE:.0%} bad lines",
            f"{bad} of {bad + good}; the first are in {rejects.write(data_dir / FILE)}",
        )
