"""Paths of the REST API. The query string is part of the path here, as it is for TensorFlow Serving."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from models.server.errors import ServingError, invalid
from models.server.version_policy import MAX_VERSION

_WHICH = r"(?:(?:/versions/(?P<version>[0-9]+))|(?:/labels/(?P<label>[^/:]+)))?"
_CALL = re.compile(rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<verb>classify|regress|predict)", re.IGNORECASE)
_READ = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<verb>metadata))?", re.IGNORECASE)
_API = re.compile(r"/v1/.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Route:
    """The call and the version that a path names; ``verb`` is predict, classify, regress, metadata or status."""

    verb: str
    name: str
    version: int | None
    label: str | None


def is_api(path: str) -> bool:
    """Whether ``path`` belongs to the API at all."""
    return _API.fullmatch(path) is not None


def parse(method: str, path: str) -> Route:
    """The route of a request. Raises INVALID_ARGUMENT for what is none.

    >>> parse("POST", "/v1/models/deep%5Ffm/versions/007:predict")
    Route(verb='predict', name='deep_fm', version=7, label=None)
    """
    match = {"POST": _CALL, "GET": _READ}[method].fullmatch(path) if method in ("POST", "GET") else None
    if match is None:
        raise _malformed(method, path)
    verb = match["verb"] or "status"
    if method == "POST" and verb != verb.lower():
        raise _malformed(method, path)
    version = _version(match["version"]) if match["version"] else None
    if not match["name"]:
        raise invalid("Missing model name in request.")
    label = unquote(match["label"]) if match["label"] else None
    return Route("status" if verb not in _VERBS else verb, unquote(match["name"]), version, label)


def _version(digits: str) -> int:
    significant = digits.lstrip("0") or "0"
    if len(significant) > len(str(MAX_VERSION)) or int(significant) > MAX_VERSION:  # of thousands of digits int raises
        raise invalid(f"Failed to convert version: {digits} to numeric.")
    return int(significant)


_VERBS = ("predict", "classify", "regress", "metadata")


def _malformed(method: str, path: str) -> ServingError:
    return invalid(f"Malformed request: {method} {path}")
