"""What `verify` folds by: the settings of the job that runs, once it does."""

from pathlib import Path

import msgspec
import pytest

from features.errors import Unavailable
from infra.flink.job_control import job_settings, settings_file
from infra.home.home_lock import home_lock
from infra.home.paths import Home, write_json
from infra.home.record import HomeRecord
from tests.streaming.crashes import settings_of


def test_there_are_none_until_the_job_of_the_base_in_use_is_started(tmp_path: Path) -> None:
    """Between the two lies the start of a new base: Redis has it, and the file is still the one of before."""
    home = Home(tmp_path).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.8)
    record.take_base(1)
    record.save()
    with pytest.raises(Unavailable, match="nothing runs"):
        job_settings(home)
    write_json(home.status_file, {"services": {}})
    with home_lock(home):
        with pytest.raises(Unavailable, match="is not started yet"):
            job_settings(home)
        for generation in (record.generation - 1, record.generation):
            settings = settings_of(tmp_path, 1, generation)
            settings_file(home).write_bytes(msgspec.json.encode(settings))
            if generation == record.generation:
                assert job_settings(home) == settings
            else:
                with pytest.raises(Unavailable, match="is not started yet"):
                    job_settings(home)
