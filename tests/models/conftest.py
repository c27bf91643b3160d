"""Samples and staged versions that the tests of models share; made once a run, TensorFlow imported only where used."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models import nets
from models.nets.parts.net import ROWS
from models.training.runtime import import_tensorflow
from tests.effort import SMALL
from tests.models.synthetic_lists import write_ranking_lists
from tests.models.synthetic_rows import write_samples


@pytest.fixture(scope="session")
def samples_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


@pytest.fixture(scope="session")
def samples(samples_folder: Path) -> Any:
    from models.training.lessons.row_data import read_samples

    return read_samples(samples_folder, ("user", "item", "cross"))


@pytest.fixture(scope="session")
def ranking_lists_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asks")
    write_ranking_lists(folder)
    return folder


@pytest.fixture(scope="session")
def ranking_lists(ranking_lists_folder: Path) -> Any:
    from models.training.lessons.list_data import read_ranking_lists

    return read_ranking_lists(ranking_lists_folder)


@pytest.fixture(scope="session")
def lessons(samples: Any, ranking_lists: Any) -> Callable[[str], Any]:
    """name → what a net learns from."""
    return lambda name: samples if nets.find(name).learns == ROWS else ranking_lists


@pytest.fixture(scope="session")
def fitted(samples: Any, ranking_lists: Any) -> Callable[[str], Any]:
    """name → a net fitted with little effort; each once."""
    import_tensorflow()
    from models.training.fitting.fit_lists import fit_on_lists
    from models.training.fitting.fit_rows import fit

    made: dict[str, Any] = {}

    def one(name: str) -> Any:
        if name not in made:
            net = nets.find(name)
            made[name] = (
                fit(net, samples, epochs=1, seed=3)
                if net.learns == ROWS
                else fit_on_lists(net, ranking_lists, seed=3, effort=SMALL)
            )
        return made[name]

    return one


@pytest.fixture(scope="session")
def staged_once(
    fitted: Callable[[str], Any], lessons: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """name → folder of a whole staged version; each once. Don't change it: copy it (see `staged`)."""
    from models.registry import DataSeen
    from models.training.export import stage

    made: dict[str, Path] = {}

    def one(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            stage(nets.find(name), fitted(name), lessons(name), {"auc": 0.7}, DataSeen("synthetic"), made[name])
        return made[name]

    return one


@pytest.fixture
def staged(staged_once: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """name → a staged version of one's own, under `tmp_path/models/.staging`."""
    from models.registry import staging_folder

    def one(name: str) -> Path:
        folder = staging_folder(tmp_path / "models", name)
        shutil.copytree(staged_once(name), folder, dirs_exist_ok=True)
        return folder

    return one
