"""Notes of a replay: one that fails ends nothing, and a Redis that hangs holds no event up."""

import asyncio
import json
import shutil
from pathlib import Path

from features.engines.loopback import LOOPBACK
from features.engines.redis_address import RedisAddress
from infra.home.paths import Home
from infra.replay.clock_mark import OFFSET, offset_of
from infra.replay.progress_notes import ProgressNotes
from tests.strange_listeners import silent_listener


def test_one_that_can_not_be_written_is_said_once_and_the_next_one_counts(tmp_path: Path) -> None:
    home, told = Home(tmp_path).make(), list[str]()
    file = home.data / "replay.json"
    notes = ProgressNotes(file, None, told.append)
    shutil.rmtree(home.data)
    for sync in (False, False, True):
        asyncio.run(notes.note({"row": 3}, 0, sync))
    assert len(told) == 1
    assert told[0].startswith(f"{file}: expected to note in it how far the replay is, got [Errno 2]")
    home.data.mkdir()
    asyncio.run(notes.note({"row": 4}, 0, sync=False))
    assert json.loads(file.read_text()) == {"row": 4}


def test_a_redis_that_hangs_holds_up_notes_alone(tmp_path: Path) -> None:
    file = Home(tmp_path).make().data / "replay.json"

    async def steps_beside_a_note(notes: ProgressNotes) -> int:
        noting, steps = asyncio.create_task(notes.note({"row": 3}, 1_000, sync=False)), 0
        while not noting.done():
            steps += 1
            await asyncio.sleep(0.001)
        await noting
        return steps

    with silent_listener() as listener:
        address = RedisAddress(LOOPBACK, listener.getsockname()[1])
        assert asyncio.run(steps_beside_a_note(ProgressNotes(file, address, print))) > 10
    noted = json.loads(file.read_text())
    assert noted["row"] == 3
    assert noted[OFFSET] <= offset_of(0) + 1_000 + 60_000


def test_the_clock_is_not_moved_back(tmp_path: Path) -> None:
    file = Home(tmp_path).make().data / "replay.json"
    file.write_text(json.dumps({OFFSET: 5}))
    asyncio.run(ProgressNotes(file, RedisAddress(LOOPBACK, 1), print).note({"row": 1}, 1_000, sync=True))
    assert json.loads(file.read_text()) == {"row": 1, OFFSET: 5}
    asyncio.run(ProgressNotes(file, None, print).note({"row": 2}, 1_000, sync=True))
    assert json.loads(file.read_text()) == {"row": 2, OFFSET: 5}
