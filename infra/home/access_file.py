"""`access.json`: who may call the API. A new home has an operator's key and nothing else in it."""

import os
import secrets

import msgspec

from infra.home.paths import Home
from online.http.access import Access


def ensure_access(home: Home) -> None:
    """Make the file where there is none, for the home's owner alone to read."""
    if not home.access_file.exists():
        access = Access(admin_key=secrets.token_urlsafe(24))
        with os.fdopen(os.open(home.access_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(access)) + b"\n")
