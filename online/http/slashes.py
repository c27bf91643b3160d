"""Ids in paths. Of those with a slash in them a path keeps `%2F` encoded until its parameters have been found.

Servers decode the path before it is matched, so that an id such as "a/b" would look like two parts of it.
"""

from typing import Any, Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from features.errors import BadEvent

_DOTS: Final = (".", "..")


def path_of(raw: bytes) -> str:
    """The path of a raw one, in which encoded slashes and percent signs stay encoded.

    >>> path_of(b"/v1/items/a%2Fb%20c%2525")
    '/v1/items/a%2Fb c%2525'
    """
    text = raw.decode("ascii", "replace").replace("%25", "%2525")
    return unquote(text.replace("%2F", "%252F").replace("%2f", "%252F"))


class EncodedSlashes:
    """Middleware: gives the application the path by `path_of`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: Any = scope.get("raw_path")
        if scope["type"] == "http" and raw and (b"%2F" in raw or b"%2f" in raw or b"%25" in raw):
            scope["path"] = path_of(raw)  # of this scope: the router notes the route in it, which is counted under
        await self._app(scope, receive, send)


def check_reachable(outer: str, where: str) -> None:
    """Raise BadEvent, which names the field `where`, for an id that no path can name: of . and .. clients make other paths before
    they send them (RFC 3986, 5.2.4), percent-encoded or not. The log may hold such ids."""
    if outer in _DOTS:
        raise BadEvent(where, "another id than . and .., which no path can name", repr(outer))
