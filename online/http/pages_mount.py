"""Where the pages lie: beside the API, not over it."""

from typing import Final

from starlette.routing import Match, Mount
from starlette.types import Scope

from online.support.api_paths import API

_API_PATHS: Final = (API, "/healthz", "/readyz", "/metrics", "/openapi.json")
"""Beginnings of the paths that are the API's alone."""


class PagesMount(Mount):
    """A mount of every path but the API's: there a method that a path does not have is a 405 that names those which it has, and
    no file that is not there."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope.get("path", "").startswith(_API_PATHS):
            return Match.NONE, {}
        return super().matches(scope)
