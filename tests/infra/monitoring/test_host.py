"""What is read of the machine: the disk's room, and until when the API's certificate is valid."""

import os
import shutil
import time
from pathlib import Path

from features.units import DAY_MS
from infra.monitoring.host import Host, HostReader
from tests.certificates import run_out, self_signed


def days_left(ends: int | None) -> float:
    assert ends is not None
    return (ends - time.time() * 1000) / DAY_MS


def test_the_room_is_that_of_the_disk_of_the_home(tmp_path: Path) -> None:
    seen = HostReader(tmp_path).read()
    assert seen.free is not None
    assert 0 < seen.free < shutil.disk_usage(tmp_path).total == seen.size
    assert seen.certificate_ends is None


def test_where_nothing_can_be_read_nothing_is_said(tmp_path: Path) -> None:
    nothing = tmp_path / "none"
    assert HostReader(nothing, (nothing / "cert.pem", nothing / "key.pem")).read() == Host()


def test_a_certificate_says_when_it_ends_and_another_one_in_its_place_too(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "api", days=3)
    reader = HostReader(tmp_path, files)
    assert 2.9 < days_left(reader.read().certificate_ends) <= 3
    for mine, other in zip(files, self_signed(tmp_path, "other", days=30), strict=True):
        os.replace(other, mine)
    assert 29.9 < days_left(reader.read().certificate_ends) <= 30


def test_a_certificate_that_has_run_out_says_since_when(tmp_path: Path) -> None:
    assert -1.1 < days_left(HostReader(tmp_path, run_out(tmp_path, "api")).read().certificate_ends) <= -1


def test_of_files_that_became_unreadable_what_was_read_before_stands(tmp_path: Path) -> None:
    files = self_signed(tmp_path, "api", days=3)
    reader = HostReader(tmp_path, files)
    before = reader.read().certificate_ends
    files[0].write_text("no certificate any more")
    assert reader.read().certificate_ends == before
    files[0].unlink()
    assert reader.read().certificate_ends == before
    assert HostReader(tmp_path, files).read().certificate_ends is None
