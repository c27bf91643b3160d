"""Reads the settings of a home: an option before a variable, before the file `martlet.toml`, before the default."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from features.errors import BadInput
from infra.home.paths import Home
from infra.settings.safety import check
from infra.settings.table import FIELDS, Field, Settings

OPTIONS: Final = {
    "kafka.partitions": "--partitions",
    "spark.master": "--master",
    "models.server": "--model-server",
    "api.processes": "--api",
}
"""Settings that an option of the command line sets for this time."""
_HIDDEN: Final = "a value that is not shown"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+]*://")
_PLAIN: Final = re.compile(rf"({_SCHEME.pattern})?((\[[0-9A-Fa-f:.]+\]|[^@:?=&%#/]+)(:[0-9]{{1,5}})?)?(/[^@:?=&%#]*)?")
"""An address, or any other text, without what users and passwords stand behind, between or before."""
_TABLE: Final = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=")


class Origin(NamedTuple):
    """Where a value comes from: `kind` is default, file, variable or option; `text` names it for people."""

    kind: str
    text: str


class Given(NamedTuple):
    """The settings of a home, and by path where each comes from."""

    settings: Settings
    origins: Mapping[str, Origin]


def settings_of(home: Home, options: Mapping[str, str | None] | None = None) -> Settings:
    """Returns the settings of a home. Raises BadInput for what is wrong or unsafe, naming the setting and where it stands."""
    return read_settings(home, os.environ, options or {}).settings


def value_of(home: Home, path: str, option: str | None) -> Any:
    """Returns the value of one setting, whatever the others say. Raises BadInput for a file or a value that is wrong."""
    field = next(each for each in FIELDS if each.path == path)
    origin, value = _found(field, _File(home.settings_file), os.environ, {path: option})
    return value if origin.kind == "default" else _converted(field, origin, value)


def read_settings(home: Home, environment: Mapping[str, str], options: Mapping[str, str | None]) -> Given:
    """Returns settings and their origins. `options`: values of the command line by path; None where not given. Raises
    BadInput."""
    file = _File(home.settings_file)
    _refuse_unknown_variables(environment)
    values: dict[str, dict[str, Any]] = {}
    origins: dict[str, Origin] = {}
    for field in FIELDS:
        origin, value = _found(field, file, environment, options)
        origins[field.path] = origin
        if origin.kind != "default":
            values.setdefault(field.section, {})[field.name] = _converted(field, origin, value)
    file.refuse_readable()
    settings = msgspec.convert(values, Settings)
    check(settings, home, lambda path: f"{origins[path].text}, {path}")
    return Given(settings, origins)


def _found(
    field: Field, file: "_File", environment: Mapping[str, str], options: Mapping[str, str | None]
) -> tuple[Origin, Any]:
    if (value := options.get(field.path)) is not None:
        return Origin("option", OPTIONS[field.path]), value
    if text := environment.get(field.variable):
        return Origin("variable", field.variable), text
    if (found := file.get(field)) is not None:
        return Origin("file", file.position(field.section, field.name)), found
    return Origin("default", "default"), field.default


def _converted(field: Field, origin: Origin, value: Any) -> Any:
    """Returns a value as the field's type. Raises BadInput."""
    received = _HIDDEN if field.secret else _shown(value)
    refusal = BadInput(f"{origin.text}, {field.path}", field.expected, received)
    try:
        converted = msgspec.convert(value, field.type, strict=origin.kind == "file")
    except msgspec.ValidationError:
        raise refusal from None
    if field.pattern is not None and not re.fullmatch(field.pattern, converted):
        raise refusal
    return converted


def _shown(value: Any) -> str:
    """A value that is refused, for people: whole where each address in it is plain, else its scheme alone, as there may be a
    password in the rest.

    >>> _shown("http://flink"), _shown("redis://me:swordfish")
    ("'http://flink'", "'redis://…'")
    """
    text = str(value)
    if all(_PLAIN.fullmatch(part) for part in text.split(",")):
        return repr(value)
    scheme = _SCHEME.match(text)
    return repr(f"{scheme[0] if scheme else ''}…")


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {field.variable for field in FIELDS}
    sections = tuple({f"MARTLET_{field.section}_".upper() for field in FIELDS})
    for name in sorted(environment):
        if name.startswith(sections) and name not in known:
            section = name.split("_")[1]
            names = sorted(each for each in known if each.startswith(f"MARTLET_{section}_"))
            raise BadInput(name, f"one of {', '.join(names)}", "a variable that sets nothing")


class _File:
    """`martlet.toml`, which may be missing."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput for what is no TOML, or has other sections and keys than there are."""
        self._path = path
        try:
            self._text = path.read_text(encoding="utf-8")
            self._tables: dict[str, Any] = tomllib.loads(self._text)
        except FileNotFoundError:
            self._text, self._tables = "", {}
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadInput(str(path), "TOML", str(error)) from error
        self._refuse_unknown()

    def get(self, field: Field) -> Any:
        """Returns what the file has for a field; None if nothing."""
        return self._tables.get(field.section, {}).get(field.name)

    def position(self, section: str, name: str = "") -> str:
        """Returns the file's path, and the line of a key or section where it is found."""
        table, best = "", 0
        for number, line in enumerate(self._text.splitlines(), start=1):
            if header := _TABLE.match(line):
                table = header[1].strip("\"' ")
                best = number if table == section else best
            elif key := _KEY.match(line):
                words = [part.strip("\"' ") for part in key[1].split(".")]
                if [*([table] if table else []), *words] in ([section, name], [section]):
                    return f"{self._path}, line {number}"
        return f"{self._path}, line {best}" if best else str(self._path)

    def refuse_readable(self) -> None:
        """Raise BadInput if the file holds a secret and others than its owner may read it."""
        held = [field.path for field in FIELDS if field.secret and self.get(field) is not None]
        if not held:
            return
        mode = stat.S_IMODE(self._path.stat().st_mode)
        if mode & 0o077:
            raise BadInput(
                str(self._path),
                f"a file that its owner alone may read, since it holds {held[0]}: chmod 600",
                f"mode {mode:o}",
            )

    def _refuse_unknown(self) -> None:
        sections = dict.fromkeys(field.section for field in FIELDS)
        for section, table in self._tables.items():
            if section not in sections:
                raise BadInput(f"{self.position(section)}, {section}", f"one of {', '.join(sections)}", section)
            if not isinstance(table, dict):
                raise BadInput(f"{self.position(section)}, {section}", f"a table [{section}]", _shown(table))
            names = [field.name for field in FIELDS if field.section == section]
            for name in table:
                if name not in names:
                    raise BadInput(
                        f"{self.position(section, name)}, {section}.{name}", f"one of {', '.join(names)}", name
                    )
