"""A home's own timings: what the file says, the defaults for the rest, and no silence about a mistake in it."""

import pytest

from features.errors import Broken
from infra.home.paths import Home
from infra.home.timings import Timings, read_timings


def test_a_home_that_says_nothing_has_the_defaults(home: Home) -> None:
    assert read_timings(home) == Timings()


def test_what_the_file_says_holds_and_the_rest_stays(home: Home) -> None:
    (home.run / "times.json").write_text('{"spare_calm": 3}')
    assert read_timings(home) == Timings(spare_calm=3.0, watch_every=Timings().watch_every)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"watch_every": 60}', r"Expected `float` <= 10.0 - at `\$\.watch_every`"),
        ('{"watch_every": 0}', r"Expected `float` > 0.0 - at `\$\.watch_every`"),
        ('{"spare_calm": -1}', r"Expected `float` >= 0.0 - at `\$\.spare_calm`"),
        ('{"longest_pause": 0}', r"Expected `float` > 0.0 - at `\$\.longest_pause`"),
    ],
)
def test_a_time_by_which_nobody_could_watch_is_refused(home: Home, text: str, expected: str) -> None:
    (home.run / "times.json").write_text(text)
    with pytest.raises(Broken, match=rf"times\.json: {expected}"):
        read_timings(home)


@pytest.mark.parametrize("text", ['{"spare_clam": 3}', '{"spare_calm": "3"}', "{", ""])
def test_a_file_with_a_mistake_is_named(home: Home, text: str) -> None:
    (home.run / "times.json").write_text(text)
    with pytest.raises(Broken, match=r"times\.json: "):
        read_timings(home)
