"""The home's clock goes on from the data set's end and never backwards."""

from online.support.home_clock import HomeClock


class Wall:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def test_the_clock_goes_on_from_the_cut_and_the_marks_of_replays_move_it_on() -> None:
    wall = Wall(1_000_000)
    clock = HomeClock(cut=500, cut_since=1_000_000, horizon=9_000, wall=wall)
    assert clock.now() == 500
    wall.now += 250
    assert clock.now() == 750
    clock.observe(2_000 - wall.now)
    clock.observe(1_500 - wall.now)
    assert clock.now() == 2_000
    wall.now += 10_000
    assert clock.now() == 12_000
    assert clock.limit() == 12_000
    clock.observe(30_000 - wall.now)
    assert (clock.now(), clock.limit()) == (30_000, 9_000 + 10_250)
    wall.now = 0  # wall time set back: the clock does not go below the cut
    assert clock.now() >= 500


def test_without_a_data_set_the_clock_is_wall_time() -> None:
    clock = HomeClock(cut=0, cut_since=None, horizon=0, wall=Wall(77))
    clock.observe(10**15)
    assert (clock.now(), clock.limit()) == (77, 77)
