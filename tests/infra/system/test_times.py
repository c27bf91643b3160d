"""Times as people write them in options."""

import pytest

from features.errors import BadInput
from infra.system.times import parse_time, show_time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1998-03-01", "1998-03-01 00:00:00"),
        ("19980301", "1998-03-01 00:00:00"),
        ("1998-03-01T12:00", "1998-03-01 12:00:00"),
        ("1998-03-01 12:00+02:00", "1998-03-01 10:00:00"),
        ("1998-03-01T12:00Z", "1998-03-01 12:00:00"),
        ("888710400000", "1998-03-01 00:00:00"),
        ("1700000000000", "2023-11-14 22:13:20"),
    ],
)
def test_dates_times_and_milliseconds_are_read(text: str, time: str) -> None:
    assert show_time(parse_time("--from", text)) == time


@pytest.mark.parametrize("text", ["1998", "888710400", "1700000000", "199803", "19981301", "", "soon", "-888710400000"])
def test_what_is_neither_is_refused_and_never_taken_for_1970(text: str) -> None:
    with pytest.raises(BadInput, match="--from: expected a date like 1998-03-01"):
        parse_time("--from", text)
