"""Fixed-point decay: halves exactly at a half-life, never grows, and has one value on every machine."""

from hypothesis import given
from hypothesis import strategies as st

from features.decay import DAY, HALF_LIVES, HOUR, ONE, decay

elapsed = st.integers(0, 400 * DAY)
half_lives = st.sampled_from(HALF_LIVES)
weights = st.integers(0, 2**40)


@given(weights, elapsed, half_lives)
def test_it_is_close_to_the_real_number(weight: int, gone: int, half_life: int) -> None:
    exact = weight * 2.0 ** (-gone / half_life)
    assert abs(decay(weight, gone, half_life) - exact) <= exact * 0.003 + 1


@given(weights, elapsed, elapsed, half_lives)
def test_more_time_never_leaves_more(weight: int, gone: int, more: int, half_life: int) -> None:
    assert decay(weight, gone + more, half_life) <= decay(weight, gone, half_life) <= weight


@given(weights, elapsed, half_lives)
def test_what_was_added_can_be_taken_back(weight: int, gone: int, half_life: int) -> None:
    assert decay(-weight, gone, half_life) == -decay(weight, gone, half_life)


def test_known_values() -> None:
    assert [decay(ONE, HOUR * step // 4, HOUR) for step in range(5)] == [65536, 55108, 46340, 38967, 32768]
    assert decay(ONE, -5, HOUR) == ONE
    assert decay(ONE, 100 * HOUR, HOUR) == 0
