"""What is made anew is for the next start, and what it supersedes unused does not stay."""

from pathlib import Path

from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs.renewal import take_for_next_start
from infra.offline_jobs.runner import ranking_lists_folder, samples_folder


def test_a_base_that_nothing_has_used_goes_when_a_newer_one_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.8)
    for number in (1, 2, 3, 4):
        (home.bases / str(number)).mkdir(parents=True)
        (home.bases / str(number) / "manifest.json").write_text("{}")
        for folder in (samples_folder(home, number), ranking_lists_folder(home, number)):
            folder.mkdir()
    record.take_base(2)
    record.save()
    for number in (3, 4, 4):
        take_for_next_start(home, number)
        assert HomeRecord(home).newest_base == number
    assert sorted(path.name for path in home.bases.iterdir()) == ["1", "2", "4"], "1 was used before, 2 is in use"
    left = sorted(path.name for path in home.data.iterdir())
    assert left == [f"{name}-{number}" for name in ("asks", "samples") for number in (1, 2, 4)]
