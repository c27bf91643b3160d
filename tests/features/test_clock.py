"""The clock that the log's rule goes by."""

from features.clock import Clock


def test_it_stands_at_the_horizon_and_goes_with_wall_time() -> None:
    clock = Clock(horizon=5_000, since=1_000_000)
    assert clock.at(1_000_000) == 5_000
    assert clock.at(1_000_007) == 5_007
    assert clock.at(0) == 5_000, "a broker's clock that was set back"
    assert Clock(5_000, None).at(123) == 123
