"""The table over seeds: means, the smallest and the largest of each figure."""

import json
from pathlib import Path

import pytest

from infra.offline_jobs.seeded_runs import print_and_write


def report(ndcg: float, page: float) -> dict[str, object]:
    whole = {"mean": ndcg, "low": ndcg - 0.01, "high": ndcg + 0.01}
    measures = {"hr": whole, "ndcg": whole, "ndcg of users": whole}
    pages = {"page ndcg": {"mean": page, "low": 0.0, "high": 1.0}, "hr": whole, "ndcg": whole}
    return {"results": {"all": {"model fusion": measures, "library EASE": measures}}, "pages": {"model fusion": pages}}


def test_a_figure_is_the_mean_over_the_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_and_write({"7": report(0.1, 0.2), "8": report(0.2, 0.4), "9": report(0.15, 0.3)}, "hash", tmp_path)
    written = json.loads((tmp_path / "hash.json").read_text())
    assert written["seeds"] == ["7", "8", "9"]
    fusion = written["methods"]["model fusion"]
    assert fusion["NDCG@10"] == pytest.approx(
        {"mean": 0.15, "smallest": 0.1, "largest": 0.2, "low": 0.09, "high": 0.11}
    )
    assert fusion["page NDCG@10"]["mean"] == pytest.approx(0.3)
    assert "page NDCG@10" not in written["methods"]["library EASE"]
    assert "0.1500 (0.100-0.200)" in capsys.readouterr().out
