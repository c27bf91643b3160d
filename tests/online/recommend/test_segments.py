"""A user of whom nothing is known but attributes is shown what users with the same ones like."""

import asyncio
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient

from features.base.reader import RELATIONS, SEGMENTS, Base
from offline.item_weights.segment_shares import write_shares
from online.recall.newest_weights import NewestWeights
from online.server import Server
from tests.online.conftest import write_base
from tests.online.in_process import api
from tests.schemas import peopled


def test_what_is_said_of_a_request_leads_to_items(tmp_path: Path) -> None:
    """By GET and by POST; of another device, and where nothing is said, nothing is known."""
    app = api(tmp_path, peopled("movies"))
    server: Server = app.state.server
    client = TestClient(app, base_url="http://127.0.0.1:8000")
    newer = write_base(tmp_path / "base" / "2", peopled("movies")).folder
    write_shares(newer / RELATIONS / SEGMENTS, {"context.device:phone": (np.array([5]), np.ones(1, np.float32))})
    asyncio.run(NewestWeights(Base(tmp_path / "base" / "1"), server.items).refresh())

    def found(said: str) -> list[int]:
        items = client.get(f"/v1/recommendations?user_id=9&size=100{said}").json()["items"]
        return [each["item_id"] for each in items if "segments" in each["channels"]]

    assert found("&context.device=phone") == [5]
    assert found("&context.device=tv") == found("") == []
    of_many = {"user_ids": [9], "size": 100, "context": {"device": "phone"}}
    answer = client.post("/v1/recommendations", json=of_many).json()
    (items,) = (each["items"] for each in answer["lists"])
    assert [each["item_id"] for each in items if "segments" in each["channels"]] == [5]


def test_a_users_attributes_lead_to_items_before_the_user_does_anything(tmp_path: Path) -> None:
    """User 8 has the plan `paid`, of 9 nothing is known. What segments like comes with a newer base, while lists are made."""
    app = api(tmp_path, peopled("movies"))
    server: Server = app.state.server
    client = TestClient(app, base_url="http://127.0.0.1:8000")

    def found(user: int) -> list[int]:
        items = client.get(f"/v1/recommendations?user_id={user}&size=100").json()["items"]
        return [each["item_id"] for each in items if "segments" in each["channels"]]

    assert found(8) == []
    newer = write_base(tmp_path / "base" / "2", peopled("movies")).folder
    liked = {"plan:paid": (np.array([5, 9, 2]), np.array([0.5, 0.25, 0.125], np.float32))}
    write_shares(newer / RELATIONS / SEGMENTS, liked)
    asyncio.run(NewestWeights(Base(tmp_path / "base" / "1"), server.items).refresh())
    assert sorted(found(8)) == [2, 5, 9]
    assert found(9) == []
