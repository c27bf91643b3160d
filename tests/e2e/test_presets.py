"""Homes of the presets other than films, from drawn files: lists come, and all kinds of event are folded exactly over a kill."""

import csv
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from features.schema.tables import Schema, is_act, preset_schema
from infra.system.processes import ProcessId
from tests.home import Martlet, run_martlet, running, until
from tests.ledger import verify
from tests.patience import patience

pytestmark = [pytest.mark.soak, pytest.mark.timeout(patience(2700)), pytest.mark.home]

START_S = 1_700_000_000
FACETS = ("red", "green", "blue")


def acts(schema: Schema, count: int, seed: int) -> list[dict[str, Any]]:
    """Acts of all kinds of a schema, of users who each like one of three facets and dislike the others."""
    rng = random.Random(seed)
    kinds = [schema.kind(code) for code in schema.code_of.values() if is_act(code)]
    liking = [kind for kind in kinds if any(weight > 0 for _, weight in kind.steps)]
    found = []
    for number in range(count):
        user, item = rng.randrange(60), rng.randrange(60)
        likes = user % 3 == item % 3
        kind = rng.choice(liking) if likes else schema.kind(schema.code_of["dislike"])
        value = {"stars": 5, "quantity": 2, "money": 9.5, "seconds": rng.choice([90, 900])}
        act = {"type": kind.name, "user_id": f"u{user}", "item_id": f"i{item}", "event_id": f"{seed}-{number}"}
        found.append(act | ({"value": value[kind.value]} if kind.value else {}))
    return found


def as_posted(act: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """An act as an event: a rating says its stars as `rating`."""
    stars = schema.kind(schema.code_of[act["type"]]).value == "stars"
    return {"rating" if stars and name == "value" else name: value for name, value in act.items()}


def write_files(folder: Path, schema: Schema) -> None:
    folder.mkdir()
    facet = schema.items.facets[0]
    with (folder / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", facet])
        rows.writerows([f"i{item}", f"Thing {item}", FACETS[item % 3]] for item in range(60))
    with (folder / "events.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "item_id", "type", "value", "ts"])
        for number, act in enumerate(acts(schema, 3_000, 1)):
            rows.writerow([act["user_id"], act["item_id"], act["type"], act.get("value", ""), START_S + 60 * number])


def kill_the_job(martlet: Martlet) -> None:
    for name, entry in martlet.status()["services"].items():
        if name.startswith("taskmanager"):
            os.kill(ProcessId.from_json(entry).pid, signal.SIGKILL)


@pytest.mark.parametrize("preset", ["shop", "news", "video"])
def test_a_preset_from_files_to_lists_and_a_kill(tmp_path: Path, preset: str) -> None:
    schema, home = preset_schema(preset), tmp_path / "home"
    write_files(tmp_path / preset, schema)
    done = run_martlet("init", "--from", str(tmp_path / preset), "--preset", preset, "--home", str(home))
    assert done.returncode == 0, done.stderr
    with running(home, whole=False) as martlet:
        told = martlet.http.get("/v1/schema").json()
        assert told["noun"] == schema.document.noun
        until(lambda: martlet.recommend("u1")["items"], 60, "a list")
        sent = 0
        for part in range(2, 6):
            some = [as_posted(act, schema) for act in acts(schema, 200, part)]
            answer = martlet.post(some)
            assert answer.is_success, answer.text
            token = answer.json()["seen"]
            sent += len(some)
            if part == 3:
                kill_the_job(martlet)
        until(
            lambda: martlet.recommend("u1", seen=token)["freshness"]["seen_applied"], 180, "the last event is applied"
        )
        counts = verify(martlet)
        assert (counts["applied"], counts["rejected"], counts["duplicate"]) == (sent, 0, 0)
        listed = [item["item_id"] for item in martlet.recommend("u1", size=10)["items"]]
        mine = sum(int(item_id[1:]) % 3 == 1 for item_id in listed)
        assert mine > len(listed) / 2, f"u1 likes {FACETS[1]}: {listed}"
