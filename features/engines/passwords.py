"""Passwords of engines: taken along with an address, or found where the address is used, in that process' environment."""

import os
from collections.abc import Mapping
from typing import Final

from features.errors import BadInput

KAFKA_VARIABLE: Final = "MARTLET_KAFKA_PASSWORD"
REDIS_VARIABLE: Final = "MARTLET_REDIS_PASSWORD"


def password_of(password: str | None, variable: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Returns the password, or what the environment variable of that name holds, where there is one. Raises BadInput where it
    holds nothing.

    >>> password_of("secret", None), password_of(None, "X", {"X": "of the environment"})
    ('secret', 'of the environment')
    """
    if variable is None:
        return password
    if not environ.get(variable):
        raise BadInput(variable, "a password in the environment of each process of the Flink cluster", "nothing")
    return environ[variable]
