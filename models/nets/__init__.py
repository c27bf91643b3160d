"""The models that can be trained, one file each: `models/nets/<name>.py` holds `NET`, and that is all it takes.

Naming them, and what they learn from, reads the folder and imports none of them (and no TensorFlow); `find` imports the requested
one.
"""

import ast
import importlib
import pkgutil
from pathlib import Path

from features.errors import BadInput, Broken
from models.nets.parts.net import LISTS, ROWS, SEQUENCES, Net


def names() -> tuple[str, ...]:
    """Names of all nets, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg))


def lessons_of(name: str) -> str:
    """What the net of this name, which there must be, learns from: ROWS, SEQUENCES or LISTS, as its file writes it."""
    source = (Path(__path__[0]) / f"{name}.py").read_text()
    named = {"ROWS": ROWS, "SEQUENCES": SEQUENCES, "LISTS": LISTS}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "learns" and isinstance(node.value, ast.Name):
            return named[node.value.id]
    return ROWS


def find(name: str) -> Net:
    """The net of this name. Raises BadInput if there is none, Broken if its file does not define it."""
    if name not in names():
        raise BadInput("model", f"one of {', '.join(names())}", repr(name))
    net = getattr(importlib.import_module(f"{__name__}.{name}"), "NET", None)
    if not isinstance(net, Net) or net.name != name:
        raise Broken(f"models/nets/{name}.py must define NET, a Net named {name!r}")
    return net
