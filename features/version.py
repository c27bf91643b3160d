"""The version of Martlet, printed by `./martlet --version` and by GET /healthz."""

from typing import Final

VERSION: Final = "0.1.0"
"""The same as in pyproject.toml: nothing is installed whose metadata could be read, so a test holds the two equal."""
