"""Protection against cross-site requests for an API without keys.

Any page that a person visits can send requests to 127.0.0.1, and by DNS rebinding even under a host name of its own. Two
headers that a page can't set reveal it: `Host`, the host it addresses, and `Origin`, the site it was loaded from. Where keys
are set, the keys protect the API, and nothing is checked here.
"""

import re
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from features.engines.loopback import ANY_ADDRESS, is_loopback
from online.access.access import Access
from online.access.api_keys import READING
from online.http.problems import problem_response
from online.support import metrics
from online.support.api_paths import API
from online.support.reloadable_file import ReloadableFile

_HOST: Final = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]*[a-z0-9_-])\.?)(?::[0-9]*)?")


class OriginGuard:
    """Answers 403 where no keys are set, and a request names another host than this machine or one of `hosts` in access.json,
    or would change something for a page of another origin. Requests without `Origin`, as from curl and servers, pass. As a list
    that is asked for is logged as shown, a browser may not ask for one for a page of another site either (`Sec-Fetch-Site`).

    host: the address the API listens on; it counts as the API's own unless it is a wildcard address.
    """

    def __init__(self, app: ASGIApp, access: ReloadableFile[Access], host: str) -> None:
        self._app, self._access = app, access
        self._own = frozenset(() if host in ANY_ADDRESS else (host.lower(),))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        access = self._access.value
        refused = None if scope["type"] != "http" or access.key_needed else self._refusal(scope, access)
        if refused is None:
            await self._app(scope, receive, send)
        else:
            metrics.REFUSED_CALLS.labels("403").inc()
            await problem_response(403, refused)(scope, receive, send)

    def _refusal(self, scope: Scope, access: Access) -> str | None:
        """The reason to refuse a request; None if it may proceed."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_own(hosts[0], access):
            received = ", ".join(map(repr, map(_text, hosts))) or "none"
            return f"expected this machine or one of `hosts` in access.json in the header Host, got {received[:100]}"
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        known = all(self._may_change(origin, hosts[0], access) for origin in origins)
        if is_cross_site(scope) and not (origins and known):
            return "expected a page of the API's own or one of `origins` in access.json, got Sec-Fetch-Site: cross-site"
        if scope["method"] in READING or known:
            return None
        received = ", ".join(map(repr, map(_text, origins)))
        return f"expected the API's own or one of `origins` in access.json in the header Origin, got {received[:100]}"

    def _is_own(self, host: bytes, access: Access) -> bool:
        name = host_name(host)
        return name is not None and (is_loopback(name) or name in self._own or name in access.host_names)

    @staticmethod
    def _may_change(origin: bytes, host: bytes, access: Access) -> bool:
        text = _text(origin)
        scheme, _, authority = text.lower().partition("://")
        if scheme in ("http", "https") and (authority == _text(host).lower() or authority in access.host_names):
            return True
        return "*" in access.origins or text in access.origins


def is_cross_site(scope: Scope) -> bool:
    """Whether a browser says that it reads a route of the API for a page of another site."""
    if scope["method"] == "OPTIONS" or not scope["path"].startswith(API):
        return False
    return (b"sec-fetch-site", b"cross-site") in scope["headers"]


@lru_cache(maxsize=256)
def host_name(header: bytes) -> str | None:
    """The name or address in a header `Host`, lower case, without port and brackets; None for what is no host."""
    found = _HOST.fullmatch(_text(header).lower())
    return None if found is None else found["v6"] or found["name"]


def _text(header: bytes) -> str:
    return header.decode("latin-1")
