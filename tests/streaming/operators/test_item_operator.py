"""When items are written: soon after an event, within the second where they were only shown, later while the stream is behind."""

import pytest

from streaming.operators.item_operator import BEHIND, LONGEST, SHORTEST, pauses


@pytest.mark.parametrize(
    ("took", "behind", "expected"),
    [
        (0.0, 0.0, (SHORTEST, LONGEST)),
        (0.03, 0.0, (0.3, LONGEST)),
        (5.0, 0.0, (LONGEST, LONGEST)),
        (5.0, 2.0, (2.0, 2.0)),
        (0.0, 2.0, (SHORTEST, 2.0)),
        (5.0, 3600.0, (BEHIND, BEHIND)),
    ],
)
def test_pauses_grow_with_the_work_and_with_what_waits(
    took: float, behind: float, expected: tuple[float, float]
) -> None:
    assert pauses(took, behind) == pytest.approx(expected)


def test_what_was_only_shown_is_written_within_a_second() -> None:
    assert pauses(0.0, 0.0)[1] < 1
