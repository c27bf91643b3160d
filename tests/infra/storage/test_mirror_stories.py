"""Whatever happens to copies of a home and the store that they share: they end with the same models, and none is lost."""

import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.storage.file_store import FolderStore, Stored
from infra.storage.model_mirror import ModelMirror
from models.registry import Labels, change_labels, discard, list_versions, promote, read_labels, rollback
from tests.infra.storage.copies import NAME, marks, publish_other

pytestmark = pytest.mark.services

STORIES = 50


class Killed(BaseException):
    """A process ends here."""


class Mortal(FolderStore):
    """A store whose user is killed at one of its calls, or does not get through; `calls_left` until then, below 0: never."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        super().__init__(folder)
        self.calls_left = -1
        self._rng = rng

    def _call(self) -> None:
        self.calls_left -= 1
        if self.calls_left == 0:
            raise Killed if self._rng.random() < 0.5 else Unavailable("it does not answer")

    def entries(self) -> list[Stored]:
        self._call()
        return super().entries()

    def read(self, path: str) -> bytes | None:
        self._call()
        return super().read(path)

    def write(self, path: str, content: bytes) -> None:
        self._call()
        super().write(path, content)

    def create(self, path: str, content: bytes) -> bool:
        self._call()
        return super().create(path, content)

    def upload(self, source: Path, path: str) -> None:
        self._call()
        super().upload(source, path)
        self._call()

    def download(self, path: str, target: Path) -> bool:
        self._call()
        return super().download(path, target)

    def delete(self, folder: str) -> None:
        self._call()
        if self._rng.random() < 0.9:  # else it stays, without a word
            super().delete(folder)


class Story:
    """Three copies of a home's models and a store, and what is done to them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.store = Mortal(folder / "store", self.rng)
        self.copies = [folder / name for name in "abc"]
        self.published: set[str] = set()
        self.withdrawn: set[str] = set()
        self.labelled: set[str] = set()

    def sync(self, models: Path, calls: int = -1) -> None:
        self.store.calls_left = calls
        with suppress(Killed, Unavailable):
            ModelMirror(models, self.store, lambda line: None).sync()
        self.store.calls_left = -1

    def step(self, number: int) -> None:
        models, act = self.rng.choice(self.copies), self.rng.random()
        versions = list_versions(models, NAME)
        named = (read_labels(models, NAME) or Labels()).named().values()
        if act < 0.3:
            publish_other(models, str(number))
            self.published.add(str(number))
        elif act < 0.4 and len(versions) > 2:
            if (version := self.rng.choice(versions[:-1])) not in named:
                self.withdrawn.add(marks(models)[version])
                discard(models, NAME, version)
        elif act < 0.44 and len(versions) > 1 and not named:
            self.withdrawn.add(marks(models)[versions[-1]])
            rollback(models, NAME)
        elif act < 0.5 and versions:
            version = self.rng.choice(versions)
            self.labelled.add(marks(models)[version])
            promote(models, NAME, version, number)
        elif act < 0.53 and versions:
            change_labels(models, NAME, lambda labels: labels.decided(number, "the same as ever"))
        elif act < 0.59:  # a loss, of what the other side has
            for _ in range(3):  # a number given twice takes one sync, bringing both another
                self.sync(models)
            if act < 0.56:
                shutil.rmtree(models, ignore_errors=True)
            else:
                FolderStore.delete(self.store, "")
        else:
            self.sync(models, self.rng.choice((-1, -1, self.rng.randint(1, 40))))


@pytest.mark.parametrize("seed", range(STORIES))
def test_copies_agree_in_the_end_whatever_happens(seed: int, tmp_path: Path) -> None:
    """Versions are published, labelled and taken away in three copies, which are killed in the midst of a sync or lose their
    models; the store is emptied."""
    story = Story(tmp_path, seed)
    for number in range(25):
        story.step(number)
    for models in story.copies * 8:
        story.sync(models)
    first, *others = [marks(models) for models in story.copies]
    assert others == [first, first]
    assert len({read_labels(models, NAME) for models in story.copies}) == 1
    assert story.published - set(first.values()) <= story.withdrawn, "what nobody took away is there"
    assert story.withdrawn & set(first.values()) <= story.labelled, "what was taken away is not, but what was labelled"
