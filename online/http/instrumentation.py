"""Instrumentation of every response, those to bugs of ours among them: request counts, latencies, and security headers."""

import logging
import time
from collections.abc import Callable, Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from online.http.problems import bug_response
from online.support import metrics
from online.support.api_paths import API
from online.support.log_lines import begin_request, log_request

logger = logging.getLogger(__name__)


def content_policy(image_hosts: Iterable[str]) -> str:
    """The content security policy of the pages: nothing from elsewhere but images of items, from these hosts."""
    images = " ".join(["'self'", "data:", *image_hosts])
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class Instrumentation:
    """The outermost middleware, so that refused and failed requests are counted too. A stream counts when it
    begins. image_hosts: from where pages may load images, as of now."""

    def __init__(self, app: ASGIApp, image_hosts: Callable[[], Iterable[str]]) -> None:
        self._app, self._image_hosts = app, image_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, started = time.perf_counter(), False
        begin_request()

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "pages" if not _is_api(scope) else "refused")
                metrics.REQUESTS.labels(route, str(message["status"])).inc()
                seconds = time.perf_counter() - began
                metrics.SECONDS.labels(route).observe(seconds)
                log_request(scope["method"], route, message["status"], seconds)
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                if not _is_api(scope):
                    headers["Cache-Control"] = "no-cache"  # revalidate each time; unchanged files are a 304
                    headers["Content-Security-Policy"] = content_policy(self._image_hosts())
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise  # uvicorn ends the connection, by which the caller sees that the response is not whole
            await bug_response()(scope, receive, sending)


def _is_api(scope: Scope) -> bool:
    return str(scope["path"]).startswith((API, "/openapi"))
