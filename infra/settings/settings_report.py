"""Prints the settings of a home: each value, and where it comes from."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from infra.home.paths import Home
from infra.settings.reading import read_settings
from infra.settings.table import FIELDS

HIDDEN = "********"


def report_settings(home: Home, options: Mapping[str, str | None], print_line: Callable[[str], None]) -> None:
    """Print a line for each setting, as TOML, its origin in the comment; secrets are masked. Raises BadInput as the reader
    does."""
    given = read_settings(home, os.environ, options)
    section = ""
    for field in FIELDS:
        if field.section != section:
            print_line(f"{chr(10) if section else ''}[{field.section}]")
            section = field.section
        value = getattr(getattr(given.settings, field.section), field.name)
        shown = HIDDEN if field.secret and value is not None else value
        left = f"# {field.name}" if value is None else f"{field.name} = {_toml(shown)}"
        print_line(f"{left:<48} # {given.origins[field.path].text}")


def _toml(value: Any) -> str:
    return msgspec.json.encode(value).decode()
