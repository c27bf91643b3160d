"""Sets of vectors that the API's processes of a machine map: made once, whole or not taken, never waited for without end."""

import json
import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.base.embedding_files import ALS, ITEM2VEC, gram_of
from features.durable import atomic_folder
from features.errors import Unavailable
from infra.services.environment import python_env
from infra.system.repository import REPO
from online.vectors.shared_sets import DIGESTS_FILE, FORMAT, GRAM_FILE, Prepared, SharedSets, Source
from online.vectors.vector_sets import ARRAY_FILE, EXACT_UP_TO, INDEX_FILE, file_size, make_set
from tests.online.synthetic_vectors import drawn

COUNT, WIDTH = 2_000, 8
SOURCE = Source(ALS, 3, "d" * 64, COUNT, WIDTH)
VECTORS = drawn(COUNT, 1, WIDTH)
EVERYTHING = np.full(-(-COUNT // 8), 255, np.uint8)


class Maker:
    """Makes the set, and counts how often it has."""

    def __init__(self, exact_up_to: int = EXACT_UP_TO, seed: int = 1) -> None:
        self._exact_up_to, self._seed = exact_up_to, seed
        self.times = 0

    def __call__(self) -> Prepared:
        self.times += 1
        vectors = drawn(COUNT, self._seed, WIDTH)
        return Prepared(make_set(vectors, self._exact_up_to), gram_of(vectors))


def nearest(prepared: Prepared) -> list[Any]:
    indices, scores = prepared.vectors.nearest(drawn(1, 9, WIDTH)[0], 50, EVERYTHING)
    order = np.lexsort((indices, -scores))[:50]
    return [indices[order].tolist(), scores[order].tolist()]


def folders(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


def names(sets: Path) -> list[str]:
    """Kind and version of each set in a folder."""
    return [name.rsplit("-", 1)[0] for name in folders(sets)]


@pytest.fixture(params=[EXACT_UP_TO, 0], ids=["exact", "lists"])
def exact_up_to(request: pytest.FixtureRequest) -> int:
    given: int = request.param
    return given


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.WARNING):
        yield lambda: [each.getMessage() for each in caplog.records]


def test_a_set_is_made_once_and_the_next_process_maps_it(tmp_path: Path, exact_up_to: int) -> None:
    make, again = Maker(exact_up_to), Maker(exact_up_to)
    made = SharedSets(tmp_path / "sets", exact_up_to).open(SOURCE, make)
    mapped = SharedSets(tmp_path / "sets", exact_up_to).open(SOURCE, again)
    assert (make.times, again.times) == (1, 0)
    assert nearest(made) == nearest(mapped) == nearest(Maker(exact_up_to)())
    assert mapped.gram is not None
    assert (mapped.gram == gram_of(VECTORS)).all()
    (folder,) = (tmp_path / "sets").iterdir()
    assert folders(folder) == sorted([DIGESTS_FILE, GRAM_FILE, ARRAY_FILE if exact_up_to else INDEX_FILE])


def test_without_a_folder_each_process_has_its_own() -> None:
    make = Maker()
    alone = SharedSets(None)
    assert nearest(alone.open(SOURCE, make)) == nearest(alone.open(SOURCE, make))
    alone.remove_stale(ALS, list, None)
    assert make.times == 2


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def change(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def _unnamed(folder: Path, *files: str) -> None:
    digests = json.loads((folder / DIGESTS_FILE).read_bytes())
    (folder / DIGESTS_FILE).write_text(json.dumps({name: digests[name] for name in digests.keys() - {*files}}))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder, name: _cut(folder / name), "was changed or cut"),
        (lambda folder, name: change(folder / name), "was changed or cut"),
        (lambda folder, name: (folder / name).unlink(), "No such file"),
        (lambda folder, name: _cut(folder / DIGESTS_FILE), "truncated"),
        (lambda folder, name: (folder / DIGESTS_FILE).unlink(), "No such file"),
        (lambda folder, name: change(folder / GRAM_FILE), "gram.npy was changed or cut"),
        (lambda folder, name: _unnamed(folder, name, GRAM_FILE), "does not name what is needed, but []"),
        (lambda folder, name: _unnamed(folder, name), "does not name what is needed, but ['gram.npy']"),
        (lambda folder, name: _unnamed(folder, GRAM_FILE), "does not name what is needed, but ['vectors."),
    ],
    ids=[
        "cut",
        "changed",
        "missing",
        "digests cut",
        "digests missing",
        "gram changed",
        "no digests",
        "no vectors' digest",
        "no gram's digest",
    ],
)
def test_what_was_cut_or_changed_is_made_anew_and_said(
    tmp_path: Path, exact_up_to: int, warned: Callable[[], list[str]], spoil: Callable[[Path, str], None], reason: str
) -> None:
    make = Maker(exact_up_to)
    SharedSets(tmp_path, exact_up_to).open(SOURCE, make)
    (folder,) = tmp_path.iterdir()
    spoil(folder, ARRAY_FILE if exact_up_to else INDEX_FILE)
    assert nearest(SharedSets(tmp_path, exact_up_to).open(SOURCE, make)) == nearest(Maker(exact_up_to)())
    assert make.times == 2
    assert any("made anew" in line and reason in line for line in warned())
    SharedSets(tmp_path, exact_up_to).open(SOURCE, make)
    assert (make.times, folders(tmp_path)) == (2, [folder.name])


def test_what_was_made_of_others_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of other vectors, in another way, or by another version of the library or of the format."""
    make = Maker(0)
    SharedSets(tmp_path, 0).open(SOURCE, make)
    other = Maker(0, seed=5)
    others = Source(ALS, 3, "e" * 64, COUNT, WIDTH)
    assert nearest(SharedSets(tmp_path, 0).open(others, other)) == nearest(Maker(0, seed=5)())
    assert other.times == 1
    exact = Maker()
    assert SharedSets(tmp_path).open(SOURCE, exact).vectors.exact
    assert exact.times == 1
    import faiss

    monkeypatch.setattr(faiss, "__version__", "0.0.1")
    SharedSets(tmp_path, 0).open(SOURCE, make)
    assert make.times == 2
    SharedSets(tmp_path, 0, file_format=FORMAT + 1).open(SOURCE, make)
    assert make.times == 3


PROGRAM = """
import sys, time
from pathlib import Path
from tests.online.vectors.test_shared_sets import Maker, SOURCE, nearest
from online.vectors.shared_sets import SharedSets
folder, log, do = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def make():
    with log.open("a") as file:
        print("made", file=file, flush=True)
    if do == "hang":
        print("hangs", flush=True)
        time.sleep(600)
    time.sleep(0.5)
    return Maker(0)()
print("ready", flush=True)
sys.stdin.readline()
print(nearest(SharedSets(folder, 0).open(SOURCE, make)), flush=True)
"""


def process(folder: Path, log: Path, do: str = "") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", PROGRAM, str(folder), str(log), do]
    return subprocess.Popen(argv, cwd=REPO, env=python_env(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def line_of(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().strip()


def go(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.write("\n")
    started.stdin.flush()


def test_of_two_processes_at_once_one_makes_it(tmp_path: Path) -> None:
    processes = [process(tmp_path / "sets", tmp_path / "log") for _ in range(2)]
    try:
        assert [line_of(each) for each in processes] == ["ready"] * 2
        for each in processes:
            go(each)
        assert [line_of(each) for each in processes] == [str(nearest(Maker(0)()))] * 2
    finally:
        for each in processes:
            each.kill()
            each.wait(30)
    assert (tmp_path / "log").read_text() == "made\n"


def test_what_a_process_that_was_killed_left_is_made_by_the_next_one(tmp_path: Path) -> None:
    killed = process(tmp_path / "sets", tmp_path / "log", "hang")
    try:
        go(killed)
        assert [line_of(killed), line_of(killed)] == ["ready", "hangs"]
        waiting = SharedSets(tmp_path / "sets", 0, wait=0.0)
        waiting.remove_stale(ALS, list, None)  # nothing is taken from who makes it
        assert any(name.endswith(".tmp") for name in folders(tmp_path / "sets"))
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait(30)
    make = Maker(0)
    assert nearest(SharedSets(tmp_path / "sets", 0).open(SOURCE, make)) == nearest(Maker(0)())
    assert make.times == 1
    assert not any(name.endswith(".tmp") for name in folders(tmp_path / "sets"))


def test_a_wait_has_a_bound_and_then_the_process_has_its_own(tmp_path: Path, warned: Callable[[], list[str]]) -> None:
    sets, make = SharedSets(tmp_path, wait=0.3), Maker()
    SharedSets(tmp_path).open(SOURCE, make)
    (folder,) = tmp_path.iterdir()
    shutil.rmtree(folder)
    with atomic_folder(folder):
        assert nearest(sets.open(SOURCE, make)) == nearest(Maker()())
        assert make.times == 2
        assert any("made here alone" in line for line in warned())


def test_a_process_that_stops_does_not_wait(tmp_path: Path) -> None:
    sets, make = SharedSets(tmp_path, wait=2.0), Maker()
    SharedSets(tmp_path).open(SOURCE, make)
    (folder,) = tmp_path.iterdir()
    shutil.rmtree(folder)
    with atomic_folder(folder):
        sets.stop()
        with pytest.raises(Unavailable):
            sets.open(SOURCE, make)
    assert make.times == 1


def test_where_nothing_can_be_written_each_process_has_its_own(
    tmp_path: Path, exact_up_to: int, warned: Callable[[], list[str]]
) -> None:
    (tmp_path / "file").write_text("no folder")
    make = Maker(exact_up_to)
    assert nearest(SharedSets(tmp_path / "file", exact_up_to).open(SOURCE, make)) == nearest(Maker(exact_up_to)())
    assert any("in its own memory" in line for line in warned())

    class NoRoom:
        """A set that can be searched, and not written."""

        def __init__(self, made: Any) -> None:
            self.nearest, self.width = made.nearest, made.width

        def write(self, _folder: Path) -> None:
            raise OSError("no space left on device")

    def make_unwritable() -> Prepared:
        made: Any = NoRoom(make().vectors)
        return Prepared(made, np.zeros((WIDTH, WIDTH)))

    sets = SharedSets(tmp_path / "sets", exact_up_to)
    assert nearest(sets.open(SOURCE, make_unwritable)) == nearest(Maker(exact_up_to)())
    assert make.times == 2  # what was made is not made twice
    assert folders(tmp_path / "sets") == []


def test_on_a_full_disk_no_process_waits_for_another(
    tmp_path: Path, exact_up_to: int, warned: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sets, make = SharedSets(tmp_path, exact_up_to), Maker(exact_up_to)
    free = file_size(COUNT, WIDTH, exact_up_to) - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    def make_as_another_does() -> Prepared:
        assert folders(tmp_path) == [], "nothing is locked"
        assert nearest(SharedSets(tmp_path, exact_up_to).open(SOURCE, make)) == nearest(Maker(exact_up_to)())
        return make()

    assert nearest(sets.open(SOURCE, make_as_another_does)) == nearest(Maker(exact_up_to)())
    assert make.times == 2
    assert sum("are needed, and" in line and "in its own memory" in line for line in warned()) == 2
    free += 1
    sets.open(SOURCE, make)
    assert names(tmp_path) == ["als-3"]


def test_sets_whose_vectors_are_superseded_or_removed_go(tmp_path: Path, exact_up_to: int) -> None:
    sets = SharedSets(tmp_path, exact_up_to)
    sources = [Source(ALS, version, "d" * 64, COUNT, WIDTH) for version in (1, 2, 3)]
    opened = [sets.open(each, Maker(exact_up_to)) for each in sources]
    other = sets.open(Source(ITEM2VEC, 1, "d" * 64, COUNT, WIDTH), Maker(exact_up_to))
    assert names(tmp_path) == ["als-1", "als-2", "als-3", "item2vec-1"]
    (tmp_path / f"als-1-{'0' * 16}.tmp").mkdir()  # left by a process that was killed
    sets.remove_stale(ALS, lambda: [3, 2, 1], sources[1])  # version 3 is refused, say: its vectors are there
    assert names(tmp_path) == ["als-2", "als-3", "item2vec-1"]
    sets.remove_stale(ALS, lambda: [2], sources[1])
    assert names(tmp_path) == ["als-2", "item2vec-1"]
    sets.remove_stale(ALS, list, None)
    assert names(tmp_path) == ["item2vec-1"]
    for each in (*opened, other):  # what is mapped stays with who has it
        assert nearest(each) == nearest(Maker(exact_up_to)())


def test_the_set_in_use_stays_and_no_versions_at_all_remove_nothing(tmp_path: Path) -> None:
    sets = SharedSets(tmp_path)
    for version in (2, 3, 4):
        sets.open(Source(ALS, version, "d" * 64, COUNT, WIDTH), Maker())
    sets.remove_stale(ALS, list, SOURCE)
    assert names(tmp_path) == ["als-3", "als-4"], "what it supersedes goes all the same"
    sets.remove_stale(ALS, lambda: [2], SOURCE)
    assert names(tmp_path) == ["als-3"]


def test_a_set_that_comes_while_the_versions_are_listed_stays(tmp_path: Path) -> None:
    def listed_before_it_came() -> list[int]:
        SharedSets(tmp_path).open(Source(ALS, 4, "d" * 64, COUNT, WIDTH), Maker())
        return [3]

    sets = SharedSets(tmp_path)
    sets.open(SOURCE, Maker())
    sets.remove_stale(ALS, listed_before_it_came, SOURCE)
    assert names(tmp_path) == ["als-3", "als-4"]
