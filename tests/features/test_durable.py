"""Files and folders are whole, old or new, whatever happens to their writer; and synced before and after they are named."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from features.durable import atomic_file, atomic_folder, discard_unfinished, named_folder, write_whole
from features.errors import Unavailable

WRITER = """
import sys
from pathlib import Path
from features.durable import write_whole
path = Path(sys.argv[1])
for number in range(1_000_000):
    write_whole(path, bytes([number % 256]) * 300_000)
    if number == 3:
        print("begun", flush=True)
"""


class Disk:
    """Notes what is synced and renamed, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, int]] = []
        sync, replace, rename = os.fsync, os.replace, os.rename

        def fsync(handle: int) -> None:
            self.calls.append(("sync", os.fstat(handle).st_ino))
            sync(handle)

        def renaming(source: Path, target: Path) -> None:
            self.calls.append(("rename", os.stat(source).st_ino))
            (replace if Path(source).is_file() else rename)(source, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", renaming)
        monkeypatch.setattr(os, "rename", renaming)


def test_a_file_is_synced_then_named_then_its_folder_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, disk = tmp_path / "file", Disk(monkeypatch)
    write_whole(path, b"new")
    inode = path.stat().st_ino
    assert disk.calls == [("sync", inode), ("rename", inode), ("sync", tmp_path.stat().st_ino)]
    disk.calls.clear()
    write_whole(path, b"newer", sync=False)
    assert disk.calls == [("rename", path.stat().st_ino)]
    assert path.read_bytes() == b"newer"


def test_a_folder_is_synced_whole_then_named_then_its_parent_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with atomic_folder(tmp_path / "out") as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "file").write_bytes(b"x")
    out = tmp_path / "out"
    inner = [path.stat().st_ino for path in (out / "inner" / "file", out / "inner", out)]
    assert disk.calls == [*(("sync", each) for each in inner), ("rename", inner[-1]), ("sync", tmp_path.stat().st_ino)]


def write_half(path: Path) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt


def enter(folder: Path, content: bytes = b"") -> None:
    with atomic_folder(folder) as temporary:
        (temporary / "file").write_bytes(content)


def fill_half(folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        (temporary / "file").write_bytes(b"x")
        raise KeyboardInterrupt


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(KeyboardInterrupt):
        write_half(path)
    assert path.read_bytes() == b"old"
    with pytest.raises(FileNotFoundError), atomic_file(path):
        pass  # nothing was written
    assert path.read_bytes() == b"old"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "folder", b"a file can't replace a folder")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fill_half(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_beside_a_folder_is_not_in_the_next(tmp_path: Path) -> None:
    (tmp_path / "out.tmp").mkdir()
    (tmp_path / "out.tmp" / "stray").write_bytes(b"x")
    with atomic_folder(tmp_path / "out") as temporary:
        (temporary / "file").write_bytes(b"x")
    assert [str(each.relative_to(tmp_path)) for each in sorted(tmp_path.rglob("*"))] == ["out", "out/file"]


def test_what_a_killed_writer_left_is_discarded_and_what_is_at_work_is_not(tmp_path: Path) -> None:
    (tmp_path / "left.tmp" / "half").mkdir(parents=True)
    discard_unfinished(tmp_path / "left")
    with atomic_folder(tmp_path / "made") as staging:
        (staging / "file").touch()
        discard_unfinished(tmp_path / "made")
        assert (staging / "file").exists()
    assert [each.name for each in tmp_path.iterdir()] == ["made"]


def test_of_two_who_make_one_folder_the_second_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as temporary:
        (temporary / "file").write_bytes(b"x")
        with pytest.raises(Unavailable, match="out is being made by another process"):
            enter(tmp_path / "out")
        (temporary / "more").write_bytes(b"y")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["file", "more"]
    with atomic_folder(tmp_path / "another") as temporary:  # its lock has gone with it
        (temporary / "file").write_bytes(b"x")
    with pytest.raises(OSError, match="not empty"):
        enter(tmp_path / "out", b"z")


def put(folder: Path, meanwhile: Path | None = None) -> None:
    with named_folder(folder) as staging:
        (staging / "file").write_bytes(b"x")
        (staging / "more").mkdir()
        if meanwhile is not None:
            meanwhile.parent.mkdir(exist_ok=True)
            meanwhile.write_bytes(b"mine")


@pytest.mark.parametrize("is_new", [True, False])
def test_a_folder_that_a_user_names_is_synced_before_and_after_it_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    out, disk = tmp_path / "out", Disk(monkeypatch)
    if not is_new:
        out.mkdir(0o755)
    put(out)
    file, more, itself, parent = (path.stat().st_ino for path in (out / "file", out / "more", out, tmp_path))
    synced, staging = [("sync", more), ("sync", file)], disk.calls[2][1]
    renamed = (
        [("rename", itself), ("sync", parent)] if is_new else [("rename", file), ("rename", more), ("sync", itself)]
    )
    assert disk.calls == [*synced, ("sync", staging), *renamed]
    assert out.stat().st_mode & 0o777 == (out / "more").stat().st_mode & 0o777
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "more", "out"]


@pytest.mark.parametrize("is_new", [True, False])
def test_what_comes_to_a_folder_that_a_user_names_meanwhile_stays(tmp_path: Path, is_new: bool) -> None:
    out = tmp_path / "out"
    if not is_new:
        out.mkdir()
    with pytest.raises(Unavailable, match=r"something has come to .*out meanwhile"):
        put(out, out / "file")
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["out", "file"]
    assert (out / "file").read_bytes() == b"mine"


def test_a_move_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def failing(source: Path, target: Path) -> None:
        if target == tmp_path / "more":
            raise OSError("the disk is gone")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        put(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_renamed_while_another_one_waits_for_it_is_not_taken(tmp_path: Path) -> None:
    made = threading.Event()

    def make() -> None:
        for _ in range(200):
            with suppress(Unavailable, OSError), atomic_folder(tmp_path / "out") as temporary:
                (temporary / "file").write_bytes(b"x")
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
        made.set()

    others = [threading.Thread(target=make) for _ in range(3)]
    for each in others:
        each.start()
    for each in others:
        each.join(60)
    assert made.is_set()
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]


def test_writers_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_file(path) as one, atomic_file(path) as two:
        one.write_bytes(b"one")
        two.write_bytes(b"two")
    assert path.read_bytes() == b"one"  # whose block ended last


def test_what_killed_writers_left_beside_a_file_is_removed_and_nothing_else(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(30)
    stays = [
        f".a[b.{os.getpid()}-0123abcd.new",
        f".a[b.{gone.pid}-0123.new",
        f".other.{gone.pid}-0123abcd.new",
        ".a[b.x.new",
    ]
    for name in (f".a[b.{gone.pid}-0123abcd.new", f".a[b.{gone.pid}-4567cdef.new", *stays):
        (tmp_path / name).touch()
    write_whole(tmp_path / "a[b", b"new")
    assert {each.name for each in tmp_path.iterdir()} == {"a[b", *stays}


def test_a_writer_that_is_killed_leaves_the_old_or_the_new_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        seen = [path.read_bytes() for _ in range(200)]
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=30)
    for content in (*seen, path.read_bytes()):
        assert len(content) == 300_000
        assert content == content[:1] * 300_000
