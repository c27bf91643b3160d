"""Fixed-point decay: halves exactly at a half-life, never grows, and has one value on every machine."""

from hypothesis import given
from hypothesis import strategies as st

from features.fold.decay import HALF_LIVES, ONE, STEPS, decay, decay_factor, lifted
from features.units import DAY_MS, HOUR_MS

elapsed = st.integers(0, 400 * DAY_MS)
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
    assert [decay(ONE, HOUR_MS * step // 4, HOUR_MS) for step in range(5)] == [65536, 55108, 46340, 38967, 32768]
    assert decay(ONE, -5, HOUR_MS) == decay(ONE, -HOUR_MS, HOUR_MS) == ONE
    assert decay(ONE, 100 * HOUR_MS, HOUR_MS) == 0


@given(weights, st.integers(1, 400 * DAY_MS), half_lives)
def test_the_factor_gives_the_same_integer(weight: int, gone: int, half_life: int) -> None:
    factor, shift = decay_factor(gone, half_life)
    assert weight * factor >> shift == decay(weight, gone, half_life)


times = st.integers(0, 4_000_000_000_000)


@given(times, half_lives)
def test_a_lifted_weight_is_one_event_seen_from_its_epoch(ts: int, half_life: int) -> None:
    epoch, weight = lifted(ts, half_life)
    assert epoch * half_life <= ts < (epoch + 1) * half_life
    exact = ONE * 2.0 ** ((ts - epoch * half_life) / half_life)
    # The exponent is rounded down to 1/256: at most 2^(1/256) − 1 too little.
    assert exact * 2 ** (-1 / STEPS) - 1 <= weight <= exact + 1
    assert ONE <= weight < 2 * ONE


@given(times, elapsed, half_lives)
def test_lifting_and_shifting_is_decay_but_for_rounding(ts: int, gone: int, half_life: int) -> None:
    """An event at `ts` as of the epoch at or before `ts + gone`, and then faded to that time, weighs what decay says."""
    epoch, weight = lifted(ts, half_life)
    later, _ = lifted(ts + gone, half_life)
    stored = weight >> later - epoch
    faded = stored * 2.0 ** (-((ts + gone) / half_life - later))
    wanted = decay(ONE, gone, half_life)
    assert abs(faded - wanted) <= wanted * 0.006 + 2
    assert weight >> 64 == 0, "what is long past is 0, not an error"


@given(st.lists(times, min_size=1, max_size=30), half_lives)
def test_weights_added_one_by_one_lose_less_than_one_a_shift(when: list[int], half_life: int) -> None:
    """Sorted by time, shifting the sum to each later epoch is at most the shift's rounding away from the sum of each."""
    total, epoch = 0, 0
    for ts in sorted(when):
        at, weight = lifted(ts, half_life)
        total = (total >> at - epoch) + weight
        epoch = at
    exact = sum(weight / 2 ** min(epoch - at, 1000) for at, weight in (lifted(ts, half_life) for ts in when))
    assert exact - 2 * len(when) <= total <= exact
