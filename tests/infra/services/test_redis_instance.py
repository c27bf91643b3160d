"""What is remembered of the Redis that was last written to."""

from pathlib import Path

from infra.services.redis_instance import MAY_LOSE, NOTE_EVERY, RedisRun


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_another_instance_is_noted_at_once_and_the_same_one_now_and_then(tmp_path: Path) -> None:
    clock = Clock()
    run = RedisRun(tmp_path / "redis_run.json", 1, clock)
    assert run.lost_since("a") is None
    run.note("a")
    clock.now = 1000 + NOTE_EVERY / 2
    run.note("a")
    assert (run.lost_since("a"), run.lost_since("b")) == (None, 1000 - MAY_LOSE)
    clock.now = 1000 + NOTE_EVERY
    run.note("a")
    assert run.lost_since("b") == clock.now - MAY_LOSE
    run.note("b")
    assert (run.lost_since("b"), run.lost_since("a")) == (None, clock.now - MAY_LOSE)


def test_a_clock_that_was_set_back_is_followed(tmp_path: Path) -> None:
    clock = Clock()
    run = RedisRun(tmp_path / "redis_run.json", 1, clock)
    run.note("a")
    clock.now = 400.0
    run.note("a")
    assert run.lost_since("b") == 400 - MAY_LOSE


def test_after_an_orderly_stop_nothing_is_lost_and_the_next_note_is_made(tmp_path: Path) -> None:
    run = RedisRun(tmp_path / "redis_run.json", 1, Clock())
    run.note("a")
    run.note_clean_stop()
    assert run.lost_since("b") is None
    run.note("a")
    assert run.lost_since("b") == 1000 - MAY_LOSE
