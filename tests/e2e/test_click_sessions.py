"""The walk over click sessions asks a running home, and posts what it predicts: every list knows of the click before."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sessions.session_run import run
from features.errors import BadInput
from features.units import DAY_S
from tests.home import Martlet, until

pytestmark = pytest.mark.home

FIRST_USER = 940_000_000
ITEMS = (50, 100, 181, 258)
"""Films that are in MovieLens 100K, clicked one after another."""
SESSIONS = 8


def all_clicked(martlet: Martlet, user_id: int) -> dict[str, Any] | None:
    user = martlet.user(user_id)
    return user if user["counts"]["click"] == len(ITEMS) else None


def test_martlet_is_walked_beside_the_baselines(martlet: Martlet, tmp_path: Path) -> None:
    lines = ["session_id,item_id,ts"]
    for session in range(SESSIONS):
        start = 5 * DAY_S + 1000 * session
        lines += [f"{FIRST_USER + session},{item},{start + 10 * at}" for at, item in enumerate(ITEMS)]
    (tmp_path / "clicks.csv").write_text("\n".join(lines) + "\n")
    figures = tmp_path / "figures.json"
    run([tmp_path / "clicks.csv"], martlet.home, share=0.5, sessions=None, loaded=False, peers=False, json=figures)
    report = json.loads(figures.read_text())
    later = SESSIONS // 2
    queries = later * (len(ITEMS) - 1)
    for name in ("Martlet", "V-SKNN", "SR", "AR", "popular", "V-SKNN, static"):
        assert report["groups"][name]["medians"]["all: clicks"] == queries, name
    # In each session of the earlier half these films came one after another.
    assert report["groups"]["SR"]["medians"]["all: HR@20"] == 1
    assert any(note.startswith(f"{queries} lists of Martlet;") for note in report["notes"])
    with pytest.raises(BadInput, match="a home that knows nothing of what comes from"):
        run([tmp_path / "clicks.csv"], martlet.home, share=0.5, sessions=None, loaded=False, peers=False, json=None)
    for session in range(SESSIONS):
        user = until(lambda: all_clicked(martlet, FIRST_USER + session), 60, "all clicks are applied")  # noqa: B023
        assert 0 <= user["now"] - user["last_event_ts"] < 2 * DAY_S * 1000
