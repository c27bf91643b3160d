"""The log's lines: text for people, or a JSON object a line for programs, with the ids that a request was about.

A line of a request has its route as /openapi.json names it, never what was asked for: no user, no item, no query.
"""

import json
import logging
import time
from contextvars import ContextVar
from typing import Any, Final, Literal

LogFormat = Literal["text", "json"]
TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MAX_IDS: Final = 20
"""Ids of one kind in a line; of more events the first are named."""
requests_logger = logging.getLogger("online.requests")
_ids: ContextVar[dict[str, list[str]] | None] = ContextVar("ids of the request", default=None)


class JsonLines(logging.Formatter):
    """A record as one JSON object: ts (ISO 8601, UTC), level, logger, message, error (a traceback), and the fields in
    `record.fields`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line | getattr(record, "fields", {}), ensure_ascii=False)


def configure_logging(form: LogFormat) -> None:
    """Log to standard error, in this form. Requests are logged in JSON alone."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    requests_logger.setLevel(logging.INFO if form == "json" else logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request to the watch


def begin_request() -> None:
    """Gather ids from here on, in this request's context."""
    if requests_logger.isEnabledFor(logging.INFO):
        _ids.set({})


def note_ids(kind: str, *ids: str) -> None:
    """Note ids of one kind that the request is about: request_ids of lists, event_ids."""
    gathered = _ids.get()
    if gathered is not None:
        known = gathered.setdefault(kind, [])
        known.extend(ids[: MAX_IDS - len(known)])


def log_request(method: str, route: str, status: int, seconds: float) -> None:
    """Log a request that was answered, with its ids."""
    gathered = _ids.get()
    if gathered is not None:
        fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1), **gathered}
        requests_logger.info("%s %s %s", method, route, status, extra={"fields": fields})
