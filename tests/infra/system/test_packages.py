"""Jars by their Maven coordinates."""

from pathlib import Path

import pytest

from features.errors import Unavailable
from infra.system.packages import resolve


def test_what_can_not_be_fetched_is_named_with_the_reason_and_nothing_else_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unavailable, match=r"could not get no-coordinates from the Maven registry: \w+Error: .+"):
        resolve("no-coordinates", tmp_path / "cache")
    assert capfd.readouterr() == ("", "")
