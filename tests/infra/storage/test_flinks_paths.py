"""What Flink writes into a folder is found there, whatever the folder's path: by Flink's own classes, in its own JVM."""

from pathlib import Path
from typing import Any

import pytest

from infra.flink.checkpoints import retained
from infra.storage.file_store import FolderStore

pytestmark = pytest.mark.services


@pytest.mark.parametrize("name", ["plain", "mit Blank", "müde", "дом", "100%25 #1?"])
def test_a_checkpoint_is_found_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    from pyflink.java_gateway import get_gateway

    store = FolderStore(tmp_path / name / "checkpoints")
    flink: Any = get_gateway().jvm.org.apache.flink
    root = flink.runtime.state.storage.FileSystemCheckpointStorage(store.uri).getCheckpointPath()
    folder = flink.core.fs.Path(root, "0a/chk-1")
    file = folder.getFileSystem().create(
        flink.core.fs.Path(folder, "_metadata"), flink.core.fs.FileSystem.WriteMode.OVERWRITE
    )
    file.write(1)
    file.close()
    (found,) = retained(store)
    assert store.path_of(folder.toString()) == found.path == "0a/chk-1", "as Flink's REST interface names it"
    assert flink.core.fs.Path(store.uri_of(found.path)).getPath() == str(tmp_path / name / "checkpoints" / found.path)
