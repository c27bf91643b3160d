"""What a policy is to hide and no item can have is said, and hides nothing; what of it can be hidden is."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from features.schema.tables import preset_schema, read_schema
from online.ranking.policy import read_serving
from online.recommend.hidden_by_policy import doubt_hidden
from tests.online.in_process import api


def doubt(hide: dict[str, Any], preset: str) -> str | None:
    """What is wrong with what the policy of an experiment's arm hides."""
    arms = {"strict": {"share": 0.1, "policy": {"hide": hide}}}
    file = {"experiments": [{"name": "less", "layer": "all", "arms": arms}]}
    found = doubt_hidden(read_serving(json.dumps(file).encode()), preset_schema(preset).items)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("preset", "hide", "said"),
    [
        ("movies", {"genres": ["War"], "facets": {"genres": ["Horror"]}, "before": 1950, "after": 2020}, None),
        ("shop", {"genres": ["Garden"], "facets": {"brand": ["Acme"]}}, None),
        ("shop", {}, None),
        ("shop", {"facets": {"brand": ["Acme"], "colour": ["red"], "price": ["9"]}}, "got colour, price"),
        (
            "shop",
            {"before": 1950},
            "hide: expected no years: no number of the schema counts by decade, got before 1950",
        ),
        ("news", {"after": 2020}, "got before None, after 2020"),
    ],
)
def test_what_no_item_can_have_is_said(preset: str, hide: dict[str, Any], said: str | None) -> None:
    found = doubt(hide, preset)
    assert (found is None) if said is None else (found is not None and said in found)
    assert found is None or found.startswith("experiment less, arm strict, hide")


def test_a_schema_without_labels_has_none_to_hide() -> None:
    schema = read_schema('[events.open]\nweight = 1\n[items.price]\ntype = "number"\n', "schema.toml")
    for hide, said in (
        ({"genres": ["War"]}, "no facet of the schema has labels"),
        ({"facets": {"x": ["y"]}}, "none: "),
    ):
        found = doubt_hidden(read_serving(json.dumps({"policy": {"hide": hide}}).encode()), schema.items)
        assert found is not None
        assert str(found).startswith("policy, hide")
        assert said in str(found)


def test_what_can_be_hidden_is_hidden_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    serving = tmp_path / "serving.json"
    hide = {"facets": {"genres": ["War"], "cast": ["Ann"]}}
    serving.write_text(json.dumps({"policy": {"hide": hide}}))
    with caplog.at_level(logging.WARNING):
        client = TestClient(api(tmp_path, serving=str(serving)), base_url="http://127.0.0.1:8000")
    assert "serving.json: policy, hide, facets: expected facets out of genres, got cast" in caplog.text
    shown = client.get("/v1/items?limit=100&fields=genres").json()["items"]
    assert shown
    assert not [each for each in shown if "War" in each["genres"]]
