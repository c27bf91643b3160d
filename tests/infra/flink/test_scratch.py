"""Temporary files of Flink's processes and of its client: in the home, and removed with the next start."""

import subprocess
import sys
from pathlib import Path

from infra.flink.cluster import configure_client
from infra.home.paths import Home


def test_temporary_files_lie_in_the_home_until_the_next_start(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    env = configure_client(home, "127.0.0.1:8081", None)
    made = Path(_make_folder(env))
    assert made.is_relative_to(tmp_path)
    assert f'io.tmp.dirs: "{made.parent}"' in (home.flink_conf / "config.yaml").read_text()
    configure_client(home, "127.0.0.1:8081", None)
    assert made.parent.is_dir()
    assert not made.exists(), "what a process has left is removed"


def _make_folder(env: dict[str, str]) -> str:
    program = "import tempfile; print(tempfile.mkdtemp())"
    return subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    ).stdout.strip()
