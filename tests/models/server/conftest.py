"""Toy models, written once a session, and a server that serves them; TensorFlow is imported when they are first wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from models.server.testing import ServerProcess

if TYPE_CHECKING:
    from tests.models.server.library import Library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    from tests.models.server.library import Library

    return Library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="session")
def server(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """``linear`` with the versions 1 and 2, 1 being ``stable``, and ``kinds``."""
    base_path = tmp_path_factory.mktemp("served") / "linear"
    for version in (1, 2):
        library.put(library.linear(version), base_path)
    config = base_path.parent / "models.config"
    every = 'model_version_policy { all {} } version_labels { key: "stable" value: 1 }'
    entries = library.entry("linear", base_path, every) + library.entry("kinds", library.folder / "kinds")
    config.write_text(f"model_config_list {{ {entries} }}")
    with ServerProcess(f"--model_config_file={config}") as running:
        yield running
