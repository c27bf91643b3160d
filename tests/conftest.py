"""One Martlet for all tests that need a whole one, started once."""

from collections.abc import Iterator

import pytest

from tests.home import Martlet, running


@pytest.fixture(scope="session")
def martlet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Martlet]:
    """A home with MovieLens 100K, 80 % history."""
    with running(tmp_path_factory.mktemp("home")) as home:
        yield home
