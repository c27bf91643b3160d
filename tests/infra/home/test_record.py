"""The home's record: which base comes next, and when the generation of writes rises."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from features.errors import BadInput, Broken
from features.fold.state import FOLD_VERSION
from features.ids import SALT_BYTES
from features.keys import DEFAULT_PARTITIONS
from infra.home.paths import Home
from infra.home.record import HomeRecord
from streaming.operators.stored_state import STATE_VERSION
from tests.infra.home.empty_base import empty_base
from tests.schemas import MOVIES


def record_of(home: Home) -> HomeRecord:
    record = HomeRecord(home)
    if record.is_new:
        record.describe(None, None)
    return record


def put_base(home: Home, number: int, fold_version: int = FOLD_VERSION, **more: str | int) -> None:
    folder = empty_base(home.bases / str(number), MOVIES)
    (folder / "manifest.json").write_text(json.dumps({"fold_version": fold_version, "schema": MOVIES.digest, **more}))


def use(home: Home) -> tuple[int, bool]:
    """What `up` does: the base, made if it is not there, and whether the generation rose."""
    record = record_of(home)
    number = record.next_base_number()
    if not (home.bases / str(number)).exists():
        put_base(home, number)
    rose = record.take_base(number)
    record.save()
    return number, rose


def ask_for(home: Home, number: int) -> None:
    record = record_of(home)
    record.set_next_base(number)
    record.save()


def test_the_first_base_is_kept(home: Home) -> None:
    assert record_of(home).free_base_number() == 1
    assert use(home) == (1, True)
    assert use(home) == (1, False)
    assert record_of(home).generation == 1


def test_a_home_that_holds_a_base_already_is_described_on_its_first_start(home: Home) -> None:
    put_base(home, 1)
    record = record_of(home)
    assert not record.is_new
    assert record.dataset
    assert use(home) == (1, True)


def test_a_home_has_the_salt_of_the_base_that_it_uses(home: Home) -> None:
    use(home)
    own = record_of(home).salt
    assert len(bytes.fromhex(own)) == SALT_BYTES
    assert record_of(home).salt_of_new_base() == own
    put_base(home, 2, salt="0a0b")
    ask_for(home, 2)
    assert use(home) == (2, True)
    assert record_of(home).salt == "0a0b"


def test_a_home_is_divided_until_it_has_a_base_and_never_again(home: Home) -> None:
    record = record_of(home)
    assert record.divide(None) == DEFAULT_PARTITIONS
    assert record.divide(64) == 64
    record.save()
    put_base(home, 1, partitions=64)
    assert use(home) == (1, True)
    again = record_of(home)
    assert again.divide(None) == again.divide(64) == again.base().partitions == 64
    with pytest.raises(BadInput, match=r"kafka\.partitions: expected 64, which .* was made with .*, got 8"):
        again.divide(8)


@pytest.mark.parametrize("of_up", [True, False])
def test_a_home_with_a_log_stays_divided_as_it_is(home: Home, of_up: bool) -> None:
    record = record_of(home)
    if of_up:
        home.kafka_meta.parent.mkdir(parents=True)
        home.kafka_meta.touch()
    else:
        record.put_log("cluster", {"events": "1"})
    with pytest.raises(BadInput, match=r"kafka\.partitions: expected 8, .*, got 64"):
        record.divide(64)


def test_a_home_of_before_has_eight_partitions_and_so_has_its_base(home: Home) -> None:
    use(home)
    settings = json.loads(home.record_file.read_text())
    del settings["partitions"]
    home.record_file.write_text(json.dumps(settings))
    record = record_of(home)
    assert (record.partitions, record.base().partitions) == (8, 8)


def test_a_base_for_another_number_of_partitions_is_refused(home: Home) -> None:
    use(home)
    put_base(home, 2, partitions=64)
    ask_for(home, 2)
    use(home)
    with pytest.raises(Broken, match="base/2: expected a base for a log of 8 partitions, got one for 64"):
        record_of(home).base()


def test_the_job_has_at_most_as_many_degrees_as_there_are_partitions(home: Home) -> None:
    record = record_of(home)
    record.divide(4)
    record.configure(parallelism=4)
    with pytest.raises(BadInput, match=r"--parallelism: expected at most 4, the partitions of .*, got 5"):
        record.configure(parallelism=5)
    assert record.parallelism == 4
    record.divide(2)
    with pytest.raises(BadInput, match=r"--parallelism: expected at most 2, .*, got 4"):
        record.configure()


def test_a_home_without_a_salt_draws_one_with_its_next_base(home: Home) -> None:
    use(home)
    settings = json.loads(home.record_file.read_text())
    home.record_file.write_text(json.dumps(settings | {"salt": ""}))
    assert record_of(home).salt == ""
    first, second = (record_of(home).salt_of_new_base() for _ in range(2))
    assert first != second
    assert len(bytes.fromhex(first)) == SALT_BYTES


def test_a_base_that_is_asked_for_is_taken_once(home: Home) -> None:
    use(home)
    put_base(home, 2)
    ask_for(home, 2)
    assert use(home) == (2, True)
    assert use(home) == (2, False)
    assert record_of(home).generation == 2
    assert record_of(home).free_base_number() == 3


def test_a_base_of_another_fold_is_left_for_good(home: Home) -> None:
    """The one in use, and one that was asked for before the fold changed."""
    put_base(home, 1, FOLD_VERSION - 1)
    record = record_of(home)
    record.take_base(1)
    record.save()
    put_base(home, 2, FOLD_VERSION - 1)
    assert use(home) == (3, True)
    put_base(home, 4, FOLD_VERSION - 1)
    ask_for(home, 4)
    assert use(home) == (5, True)
    assert use(home) == (5, False)


def test_a_base_that_was_lost_is_not_made_again_under_its_number(home: Home) -> None:
    """It may have been one of the log: what is made instead is of the data set, and everything starts from it."""
    use(home)
    put_base(home, 2)
    ask_for(home, 2)
    use(home)
    shutil.rmtree(home.bases / "2")
    assert use(home) == (3, True)
    assert use(home) == (3, False)


def test_folding_users_alone_is_another_generation(home: Home) -> None:
    """Items and pairs that were not folded meanwhile are, from the base and the whole log."""
    use(home)
    for items in (False, True):
        record = record_of(home)
        record.fold_items(items)
        record.save()
        assert record_of(home).folds_items is items
        assert use(home) == (1, True)
        assert use(home) == (1, False)


def test_a_job_whose_state_is_of_another_version_starts_anew_from_the_base(home: Home) -> None:
    """Its checkpoints hold nothing that this version reads, but offsets beyond what it would have to fold."""
    assert not record_of(home).has_other_state  # it has no job yet
    use(home)
    assert not record_of(home).has_other_state
    before = record_of(home).generation
    for other in ({"state_version": STATE_VERSION - 1}, {"state_version": None}, {"fold_version": 1}):
        settings = json.loads(home.record_file.read_text()) | other
        home.record_file.write_text(json.dumps({name: each for name, each in settings.items() if each is not None}))
        assert record_of(home).has_other_state
        assert use(home) == (1, True)
        assert use(home) == (1, False)
        assert not record_of(home).has_other_state
    assert record_of(home).generation == before + 3


def test_a_record_that_makes_no_sense_is_named(home: Home) -> None:
    use(home)
    home.record_file.write_text('{"dataset": "ml-100k", "generation": "one"}')
    with pytest.raises(Broken, match=r"home\.json: .*generation"):
        record_of(home)


def test_what_another_process_has_changed_meanwhile_stays(home: Home) -> None:
    use(home)
    of_up = record_of(home)
    ask_for(home, 7)  # the learner, at night
    of_up.configure(parallelism=2)
    of_up.save()
    found = record_of(home)
    assert (found.newest_base, found.parallelism) == (7, 2)
    assert of_up.newest_base == 7
    put_base(home, 7)
    of_up.take_base(7)
    of_up.save()
    assert (record_of(home).newest_base, record_of(home).base_number) == (7, 7)
    assert json.loads(home.record_file.read_text()).get("next_base") is None


def test_records_that_are_saved_at_once_all_hold(home: Home) -> None:
    use(home)
    changes: list[Callable[[HomeRecord], None]] = [
        lambda record: record.set_next_base(7),
        lambda record: record.configure(parallelism=3),
        lambda record: record.put_flink("http://127.0.0.1:1"),
        lambda record: record.fold_items(False),
    ]

    def save(change: Callable[[HomeRecord], None]) -> None:
        record = HomeRecord(home)
        begin.wait(10)
        change(record)
        record.save()

    begin = threading.Barrier(len(changes))
    with ThreadPoolExecutor(len(changes)) as pool:
        list(pool.map(save, changes))
    found = record_of(home)
    assert (found.newest_base, found.parallelism, found.flink, found.folds_items) == (7, 3, "http://127.0.0.1:1", False)


class OftenLookedAt(Home):
    """A home that does something whenever a record looks for its file: in the middle of reading and writing it."""

    on_look: Callable[[], object] = staticmethod(lambda: None)

    @property
    def record_file(self) -> Path:
        self.on_look()
        return super().record_file


def test_what_one_thread_sets_while_another_saves_is_not_lost(home: Home) -> None:
    use(home)
    watched = OftenLookedAt(home.path)
    record = HomeRecord(watched)
    record.set_next_base(7)
    numbers = count(1)
    watched.on_look = lambda: record.put_log("cluster", {"events": str(next(numbers))})
    record.save()
    watched.on_look = lambda: None
    newest = {"events": str(next(numbers) - 1)}
    assert record.topics == newest
    record.save()
    assert HomeRecord(home).topics == newest
    assert HomeRecord(home).newest_base == 7
