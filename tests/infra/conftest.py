"""A home, and a supervisor of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.home.paths import Home
from infra.services.supervisor import Supervisor


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path).make()


@pytest.fixture
def supervisor(home: Home) -> Iterator[Supervisor]:
    made = Supervisor(home)
    yield made
    made.stop_all()
