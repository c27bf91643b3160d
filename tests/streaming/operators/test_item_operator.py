"""When items are written: soon after an event, later while the stream is behind."""

import pytest

from streaming.operators.item_operator import BEHIND, LONGEST, SHORTEST, pause


@pytest.mark.parametrize(
    ("took", "behind", "expected"),
    [
        (0.0, 0.0, SHORTEST),
        (0.03, 0.0, 0.3),
        (5.0, 0.0, LONGEST),
        (5.0, 2.0, 2.0),
        (0.0, 2.0, SHORTEST),
        (5.0, 3600.0, BEHIND),
    ],
)
def test_pauses_grow_with_the_work_and_with_what_waits(took: float, behind: float, expected: float) -> None:
    assert pause(took, behind) == pytest.approx(expected)
