"""Files of Java properties."""

from collections.abc import Mapping
from struct import iter_unpack


def properties_text(settings: Mapping[str, object]) -> str:
    r"""Returns what to write into a file. Java reads Latin-1 there, and backslashes as escapes, so of a value all but ASCII is
    told by its number.

    >>> properties_text({"log.dirs": "/tmp/für mich", "broker.id": 1})
    'log.dirs=/tmp/f\\u00fcr mich\nbroker.id=1\n'
    """
    return "".join(f"{key}={_escaped(str(value))}\n" for key, value in settings.items())


def _escaped(value: str) -> str:
    units = (unit for (unit,) in iter_unpack(">H", value.encode("utf-16-be")))
    return "".join(chr(unit) if 32 <= unit < 127 and unit != ord("\\") else f"\\u{unit:04x}" for unit in units)
