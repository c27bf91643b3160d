"""The files of a learner: its weights, the lists that come again, and where the next ones are made.

    HOME/learning/<model>/weights-<slice>/   a version as training exports it, not published, once a slice was learned
                          lists-<slice>/     the lists of a slice
                          work-…/            of a slice that is being learned; of no use to anybody else

What the state does not name is removed: a slice that was cut short is learned again from the beginning, and what another model
has learned, before `serving.json` named this one, is of no use any more.
"""

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from features.durable import link_or_copy, sync_path, sync_tree
from features.errors import Broken
from infra.home.paths import Home, read_json
from infra.learning.learner_state import LearnerState
from models.registry import MANIFEST, version_folder
from offline.training_data.file_names import MAPS, META
from offline.training_data.slice_lists import REPLAYED


def remove_lists(home: Home) -> None:
    """Remove the lists that would come again, of whatever model: where nothing learns, nobody reads who wants to be forgotten."""
    for lists in (home.path / "learning").glob("*/lists-*"):
        shutil.rmtree(lists, ignore_errors=True)


class LearnerFiles:
    """The files of one model's learner."""

    def __init__(self, home: Home, model: str) -> None:
        self._models, self._model = home.models, model
        self.folder = home.path / "learning" / model

    def weights(self, number: int) -> Path:
        return self.folder / f"weights-{number}"

    def lists(self, number: int) -> Path:
        return self.folder / f"lists-{number}"

    def start(self, state: LearnerState) -> Path:
        """The folder of the weights as they are now. Raises Broken where it is not there, BadInput where a version is not."""
        if not state.weights:
            return version_folder(self._models, self._model, state.origin or 0)
        folder = self.weights(state.weights)
        if not (folder / MANIFEST).is_file():
            raise Broken(f"{folder}: expected the weights after slice {state.weights}, got nothing")
        return folder

    def clean(self, state: LearnerState | None) -> None:
        """Remove all that the state does not name, what other models have learned included."""
        for each in self.folder.parent.iterdir() if self.folder.parent.is_dir() else ():
            if each != self.folder:
                shutil.rmtree(each, ignore_errors=True)
        named = set()
        if state is not None:
            named = {self.weights(state.weights), *(self.lists(each) for each in state.replayed)}
        for each in self.folder.iterdir() if self.folder.is_dir() else ():
            if each not in named:
                shutil.rmtree(each, ignore_errors=True)

    @contextmanager
    def work(self) -> Iterator[Path]:
        """A new, empty folder to make a slice in, as long as the context lasts. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # the lists are what people were shown and liked
        with tempfile.TemporaryDirectory(prefix="work-", dir=self.folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def replay(self, new: Path, state: LearnerState, out: Path) -> None:
        """Make `out` of the lists of `new` and those that come again, as far as they have the same columns; what users did lately
        is moved there: it is made anew for each slice, and not retained."""
        (out / "asks").mkdir(parents=True)
        if (new / "sequences").is_dir():
            (new / "sequences").rename(out / "sequences")
        columns = _columns_of(new)
        for name in (MAPS, META):
            shutil.copyfile(new / name, out / name)
        link_or_copy(new / "asks" / "part-0.parquet", out / "asks" / "new.parquet")
        for number in state.replayed:
            folder = self.lists(number)
            if _columns_of(folder) == columns:
                link_or_copy(folder / "asks" / "part-0.parquet", out / "asks" / f"again-{number}.parquet")

    def settle(self, made: Mapping[Path, Path]) -> None:
        """Move what was made into place, synced: source → target."""
        for source, target in made.items():
            shutil.rmtree(target, ignore_errors=True)
            sync_tree(source)
            source.rename(target)
        sync_path(self.folder)

    def to_replay(self, numbers: Collection[int]) -> tuple[int, ...]:
        """Of these slices the newest, until they have REPLAYED lists."""
        found: list[int] = []
        count = 0
        for number in sorted(numbers, reverse=True):
            lists = int((read_json(self.lists(number) / META) or {}).get("lists", 0))
            if count >= REPLAYED:
                break
            count += lists
            found.insert(0, number)
        return tuple(found)


def _columns_of(lists: Path) -> tuple[object, object]:
    """What the columns of a slice's lists are: lists of before an upgrade may have fewer signals."""
    meta = read_json(lists / META) or {}
    return meta.get("layout"), meta.get("signals")
