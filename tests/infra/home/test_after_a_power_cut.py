"""Files that are written without waiting for the disk may be empty after a power cut: a home goes on as without them."""

import pytest

from features.engines.redis_address import RedisAddress
from features.errors import Broken, Unavailable
from infra.detached import down
from infra.home.paths import Home, read_json
from infra.home.running import last_status
from infra.replay.clock_mark import restore_mark
from infra.services.supervisor import stop_leftovers
from infra.system.progress import Steps


@pytest.mark.parametrize("content", ["", '{"supervisor": {"pi'])
def test_a_home_goes_on_as_without_them(home: Home, content: str) -> None:
    replay = home.data / "replay.json"
    for file in (home.status_file, home.watch_file, replay):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    stop_leftovers(home.status_file, print)
    assert not down(home, Steps())
    with pytest.raises(Unavailable, match="nothing runs in"):
        last_status(home)
    restore_mark(home, RedisAddress("127.0.0.1", 1))
    with pytest.raises(Broken, match="remove it if it was cut short"):
        read_json(replay)
