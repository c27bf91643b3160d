"""Temporary files of Flink's processes and of its client: in the home, and removed with the next start."""

import subprocess
import sys
from pathlib import Path

from infra.flink.cluster import configure, configure_client
from infra.home.paths import Home
from infra.home.ports import Ports


def test_temporary_files_lie_in_the_home_until_the_next_start(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    env = configure_client(home, "127.0.0.1:8081", None)
    made = Path(_make_folder(env))
    assert made.is_relative_to(tmp_path)
    assert f'io.tmp.dirs: "{made.parent}"' in (home.flink_conf / "config.yaml").read_text()
    configure_client(home, "127.0.0.1:8081", None)
    assert made.parent.is_dir()
    assert not made.exists(), "what a process has left is removed"


def test_what_may_hold_the_job_and_its_passwords_is_its_owners_alone(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    private = home.flink / "ha", home.flink / "tmp"
    for folder in private:
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        (folder / "left").touch()
    configure(home, Ports.choose(0, {}))
    for folder in private:
        assert (folder.stat().st_mode & 0o777, list(folder.iterdir())) == (0o700, [])


def _make_folder(env: dict[str, str]) -> str:
    program = "import tempfile; print(tempfile.mkdtemp())"
    return subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    ).stdout.strip()
