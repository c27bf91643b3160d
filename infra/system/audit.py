"""Known vulnerabilities of the locked packages, queried from OSV, the open database of advisories."""

import json
import urllib.request
from collections.abc import Callable, Iterable
from http.client import HTTPException
from typing import Any

from features.errors import Unavailable
from infra.system.locks import FOLDER, MAIN_LOCK, Pin, pins

SERVICE = "https://api.osv.dev"
TIMEOUT = 30.0
"""Seconds per request."""
_BATCH = 500


def audit(report: Callable[[str], None], service: str = SERVICE) -> bool:
    """Report every advisory for what requirements.lock and requirements/peers.lock pin; returns True if there was none.

    `service` is the database's address. Raises Unavailable if it does not answer.
    """
    pinned = sorted(pins(MAIN_LOCK) | pins(FOLDER / "peers.lock"))
    found = advisories(pinned, service)
    for pin in pinned:
        for advisory in found.get(pin, ()):
            report(f"{pin.name} {pin.version}: {advisory}")
    report(f"{len(pinned)} locked packages audited, {len(found)} with advisories")
    return not found


def advisories(pinned: Iterable[Pin], service: str) -> dict[Pin, list[str]]:
    """Returns the advisory ids of each package that has any. Raises Unavailable if the service does not answer."""
    pending, found = list(pinned), dict[Pin, list[str]]()
    for start in range(0, len(pending), _BATCH):
        batch = pending[start : start + _BATCH]
        for pin, result in zip(batch, _query(batch, service), strict=True):
            if ids := sorted(entry["id"] for entry in result.get("vulns", ())):
                found[pin] = ids
    return found


def _query(batch: list[Pin], service: str) -> list[dict[str, Any]]:
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in batch]
    request = urllib.request.Request(
        f"{service}/v1/querybatch", json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            results = json.load(response)["results"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"nothing was audited: {service} did not answer: {error}") from error
    if not isinstance(results, list) or len(results) != len(batch):
        raise Unavailable(f"nothing was audited: {service} did not answer for each of {len(batch)} packages")
    return results
