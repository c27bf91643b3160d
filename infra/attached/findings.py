"""Findings about an attached engine: `doctor` prints all of them, `up` refuses the first that is not well."""

from collections.abc import Iterable
from typing import NamedTuple

from features.errors import BadInput, MartletError, Unavailable


class Finding(NamedTuple):
    """What was examined and found. help: what to do about it; "": it is well. error: what `up` raises if it is not."""

    name: str
    found: str
    help: str = ""
    error: MartletError | None = None


def well(name: str, found: str) -> Finding:
    """Returns a finding that is well."""
    return Finding(name, found)


def refused(name: str, expected: str, found: str, help_: str) -> Finding:
    """Returns a finding that stays bad until somebody changes something."""
    return Finding(name, found, help_, BadInput(name, expected, f"{found} ({help_})"))


def away(name: str, found: str, help_: str) -> Finding:
    """Returns a finding of what does not answer now."""
    return Finding(name, found, help_, Unavailable(f"{name}: {found} ({help_})"))


def require_well(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the findings. Raises the error of the first that is not well."""
    seen = []
    for each in findings:
        if each.error is not None:
            raise each.error
        seen.append(each)
    return seen
