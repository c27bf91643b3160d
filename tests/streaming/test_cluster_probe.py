"""What a TaskManager says about the home's folder, where Java finds the jars."""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from features.errors import Broken
from features.version import VERSION
from streaming.cluster_probe import check_here

JAR = "martlet-streaming-1.jar"


class Loader:
    """Java's loader of classes, and the URL that it finds for each."""

    def getSystemResource(self, path: str) -> "Loader":
        return self

    def toString(self) -> str:
        return f"jar:file:/opt/flink/lib/{JAR}!/martlet/LaneBatcher.class"


def test_a_folder_that_its_user_may_not_enter_is_named_with_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pemja: Any = ModuleType("pemja")
    pemja.findClass = lambda name: Loader()
    monkeypatch.setitem(sys.modules, "pemja", pemja)
    check_here(VERSION, JAR, tmp_path / "written")
    there = f"read and to write for user {os.getuid()}, who runs this TaskManager: .*{tmp_path}/written/file"
    with pytest.raises(Broken, match=there):
        check_here(VERSION, JAR, tmp_path / "written" / "file")
