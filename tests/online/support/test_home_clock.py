"""The home's clock goes on from the data set's end and never backwards."""

from online.support.home_clock import HomeClock


class Wall:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def test_the_clock_goes_on_from_the_cut_and_is_never_behind_what_was_folded() -> None:
    wall = Wall(1_000_000)
    clock = HomeClock(cut=500, cut_since=1_000_000, horizon=9_000, wall=wall)
    assert clock.now() == 500
    wall.now += 250
    assert clock.now() == 750
    clock.observe(2_000)
    clock.observe(1_500)
    assert clock.now() == 2_000
    wall.now += 10_000
    assert clock.now() == 500 + 10_250
    assert clock.limit() == 10_750
    wall.now = 0  # wall time set back: the clock does not go below the cut
    assert clock.now() == 2_000


def test_without_a_data_set_the_clock_is_wall_time() -> None:
    clock = HomeClock(cut=0, cut_since=None, horizon=0, wall=Wall(77))
    clock.observe(10**15)
    assert (clock.now(), clock.limit()) == (77, 77)
