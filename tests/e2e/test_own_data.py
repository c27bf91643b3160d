"""Homes of one's own data, or of no file at all: lists come, the home learns, and all comes out again."""

import csv
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from examples.shop import draw_shop
from features.keys import DEFAULT_PARTITIONS, EVENTS, partition_of
from features.schema.tables import read_schema
from offline.datasets.dataset import open_dataset, rows_between
from offline.datasets.own.proposal import propose
from offline.datasets.own.recogniser import recognise
from tests.home import Martlet, run_martlet, running, until
from tests.ledger import verify
from tests.patience import patience
from tests.schemas import SHOP

pytestmark = [pytest.mark.soak, pytest.mark.timeout(patience(2700)), pytest.mark.home]


def listed(martlet: Martlet, user: str, **more: Any) -> dict[str, Any]:
    answer = martlet.http.get("/v1/recommendations", params={"user_id": user, **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def kinds_of(folder: Path, data: Path) -> Counter[str]:
    """Events by kind, as `up --dataset` takes what was exported."""
    schema = read_schema(propose(recognise([folder])).schema, "proposed")
    dataset = open_dataset(str(folder), data, schema)
    return Counter(
        schema.kind(code).name for batch in rows_between(dataset, 0, dataset.rows) for code in batch["kind"].to_pylist()
    )


def test_a_shop_of_files(tmp_path: Path) -> None:
    draw_shop(tmp_path / "shop", users=150, items=80, seed=4)
    home = tmp_path / "home"
    done = run_martlet("init", "--from", str(tmp_path / "shop"), "--home", str(home))
    assert done.returncode == 0, done.stderr
    with running(home) as martlet:
        answer = until(lambda: (body := listed(martlet, "c00007"))["degraded"] == [] and body, 120, "a whole list")
        assert answer["model"] == "fusion"
        assert {item["item_id"][:4] for item in answer["items"]} == {"SKU-"}
        first = answer["items"][0]["item_id"]
        bought = {"type": "purchase", "user_id": "c00007", "item_id": first, "value": 12.5, "event_id": "p1"}
        token = martlet.post(bought).raise_for_status().json()["seen"]
        until(lambda: (body := listed(martlet, "c00007", seen=token))["freshness"]["seen_applied"] and body, 20, "it")
        assert first not in {item["item_id"] for item in listed(martlet, "c00007")["items"]}, "hidden for a week"
        martlet.post([bought, {"type": "undo", "user_id": "c00007", "target": "p1"}]).raise_for_status()
        martlet.post({"type": "click", "user_id": "Zoë 商", "item_id": first}).raise_for_status()
        for user, plan in (("c00001", "free"), ("c00007", "free"), ("c00007", "paid"), ("c00009", "")):
            told = martlet.http.put(f"/v1/users/{user}", json={"attributes": {"plan": plan} if plan else {}})
            assert told.status_code == 202, told.text
        assert martlet.http.put("/v1/users/c00007", json={"attributes": {"plan": 3}}).status_code == 422
        wrong = {"type": "profile", "user_id": "c00007", "attributes": {"plan": 3}, "event_id": "wrong", "ts": 1}
        key, value = b"c00007", json.dumps(wrong).encode()
        martlet.producer.send(EVENTS, key=key, value=value, partition=partition_of("c00007", DEFAULT_PARTITIONS)).get(
            20
        )
        martlet.post({"type": "forget_user", "user_id": "c00001"}).raise_for_status()
        assert listed(martlet, "c00007", **{"range": "price:5..50", "context.device": "phone"})["items"]
        counts = verify(martlet)
        assert (counts["applied"], counts["rejected"]) == (8, 1)
        assert martlet.http.get("/v1/users/c00007").json()["attributes"] == {"plan": "paid"}
        assert martlet.http.get("/v1/users/c00001").json()["attributes"] == {}
        assert set(martlet.http.get("/v1/users/c00002").json()["attributes"]) == {"plan", "country"}, "as the file says"
        done = martlet.command("export", "--to", str(tmp_path / "out"))
        assert done.returncode == 0, done.stderr
        data = home / "data"
        dataset = open_dataset(str(data / "shop"), data, SHOP.salted(martlet.salt))
        columns = ("kind", "user")
        rows = [row for batch in rows_between(dataset, 0, dataset.rows, columns=columns) for row in batch.to_pylist()]
        expected = Counter(SHOP.kind(row["kind"]).name for row in rows if row["user"] != "c00001")
        assert kinds_of(tmp_path / "out", tmp_path / "data") == expected + Counter({"click": 1})
        exported = {row.pop("user_id"): row for row in pq.read_table(tmp_path / "out" / "users.parquet").to_pylist()}
        with (tmp_path / "shop" / "users.csv").open() as file:
            drawn: dict[str, dict[str, str | None]] = {row.pop("user_id"): dict(row) for row in csv.DictReader(file)}
        del drawn["c00001"], drawn["c00009"]
        assert exported == drawn | {"c00007": {"plan": "paid", "country": None}}


def test_a_home_that_never_had_a_file(tmp_path: Path) -> None:
    home, rng = tmp_path / "home", random.Random(1)
    with running(home, "--schema", "shop", whole=False) as martlet:
        answer = listed(martlet, "anna")
        assert (answer["items"], "nothing to learn from yet" in answer["degraded"]) == ([], True)
        done = martlet.command("train", "--model", "neuralcf")
        assert done.returncode == 1
        assert "expected events to learn from: once some have come, ./martlet features --from-log" in done.stderr
        for number in range(120):
            team = number % 2
            acts = [
                {
                    "type": rng.choice(["click", "click", "purchase"]),
                    "user_id": f"user-{number}",
                    "item_id": f"item-{2 * rng.randrange(15) + team}",
                }
                for _ in range(25)
            ]
            martlet.post(acts).raise_for_status()
        until(lambda: listed(martlet, "anna")["items"], 20, "what is liked")
        assert "nothing to learn from yet" not in listed(martlet, "anna")["degraded"]
        before = verify(martlet)
        done = martlet.command("features", "--from-log", within=600)
        assert done.returncode == 0, done.stdout + done.stderr
        done = martlet.command("train", "--model", "neuralcf", within=600)
        assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((home / "home.json").read_text())
    assert (record["dataset"], record["wall_clock"], record["next_base"]) == ("none", True, 2)
    with running(home, whole=False) as martlet:
        manifest = json.loads((home / "base" / "2" / "manifest.json").read_text())
        assert (manifest["dataset"], manifest["rows"], manifest["related"]) == ("log-2", before["applied"], 30)
        until(lambda: listed(martlet, "user-3", model="neuralcf")["model"] == "neuralcf", 120, "a list by the model")
        listed_items = listed(martlet, "user-3", size=30)["items"]
        for channel in ("ease", "similar", "nearest_sessions"):
            found = [int(item["item_id"].split("-")[1]) % 2 for item in listed_items if channel in item["channels"]]
            assert len(found) > 3, f"{channel}: {listed_items}"
            assert all(found), f"{channel}: its own team's items alone, who never did anything with another's"
        near = martlet.http.get("/v1/items/item-4/similar", params={"size": 20}).json()["similar"]
        assert len(near) > 10
        assert {int(item["item_id"].split("-")[1]) % 2 for item in near} == {0}
