"""Circuit breaker: when calls fail fast, and when they do not."""

import pytest

from online.support.circuit_breaker import CircuitBreaker


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fails(breaker: CircuitBreaker, clock: Clock, began: float, ended: float) -> None:
    clock.now = ended
    breaker.record_failure(began)


def test_it_opens_after_so_many_failures_and_closes_after_a_rest(clock: Clock) -> None:
    breaker = CircuitBreaker(3, 1.0, clock)
    for start in (10.0, 11.0, 12.0):
        assert not breaker.open
        fails(breaker, clock, start, start + 0.5)
    assert breaker.open
    clock.now += 1.0
    assert not breaker.open
    fails(breaker, clock, clock.now, clock.now + 0.1)  # the first who asks again finds out for all
    assert breaker.open


def test_an_answer_between_failures_begins_the_count_anew(clock: Clock) -> None:
    breaker = CircuitBreaker(2, 1.0, clock)
    fails(breaker, clock, 10.0, 10.1)
    breaker.record_success(10.1)
    fails(breaker, clock, 10.2, 10.3)
    assert not breaker.open


def test_calls_that_fail_side_by_side_are_one_failure(clock: Clock) -> None:
    breaker = CircuitBreaker(3, 1.0, clock)
    for began in (10.0, 10.01, 10.02, 10.03):
        fails(breaker, clock, began, 10.2 + began - 10)
    assert not breaker.open
    for began in (10.3, 10.31, 10.5):
        fails(breaker, clock, began, began + 0.15)
    assert breaker.open


def test_after_a_rest_one_asks_for_all(clock: Clock) -> None:
    breaker = CircuitBreaker(1, 1.0, clock)
    fails(breaker, clock, 10.0, 10.2)
    clock.now = 11.3
    assert [breaker.allow() for _ in range(3)] == [True, False, False]
    breaker.record_success(11.3)
    assert breaker.allow()
    assert breaker.allow()


def test_an_answer_to_a_call_from_before_the_failure_says_nothing(clock: Clock) -> None:
    breaker = CircuitBreaker(2, 1.0, clock)
    fails(breaker, clock, 10.0, 10.2)
    breaker.record_success(10.1)
    fails(breaker, clock, 10.3, 10.4)
    assert breaker.open


def test_a_probe_without_an_outcome_leaves_the_probing_to_the_next_call(clock: Clock) -> None:
    breaker = CircuitBreaker(1, 1.0, clock)
    fails(breaker, clock, 10.0, 10.1)
    breaker.record_cancelled(10.05)  # began before the failure: no probe
    assert not breaker.allow()
    clock.now += 1.0
    probe = clock.now
    assert breaker.allow()
    assert not breaker.allow()
    breaker.record_cancelled(probe)
    assert breaker.allow()
