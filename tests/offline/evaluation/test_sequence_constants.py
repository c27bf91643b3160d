"""Training constants of sequence models are compared one at a time, list by list, with the one in use."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import BadInput
from models.training.lessons.list_data import RankingLists, read_ranking_lists
from models.training.row_metrics import rank_gains
from models.training.runtime import import_tensorflow

import_tensorflow()

from models.training.fitting.encoder_ranks import EncoderConstants  # noqa: E402
from offline.evaluation.sequence_constants import ALL, TRIED, compare, known_constants, main  # noqa: E402
from tests.models.synthetic_lists import write_ranking_lists  # noqa: E402

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("asks")
    write_ranking_lists(made, users=30)
    return made


def test_every_constant_has_values_to_try_and_the_one_in_use_is_among_them() -> None:
    assert {field.name for field in fields(EncoderConstants)} == set(TRIED)
    for name, values in TRIED.items():
        assert getattr(EncoderConstants(), name) in values


def test_a_value_is_compared_list_by_list_with_the_one_in_use(folder: Path) -> None:
    def drawn(ranking_lists: RankingLists, constants: EncoderConstants, seed: int) -> Any:
        rng = np.random.default_rng([seed, int(10 * constants.hidden)])
        return rng.integers(0, 20, len(ranking_lists.train_lists) + len(ranking_lists.validation_lists))

    lists, seeds = read_ranking_lists(folder), (7, 8)
    other, in_use = compare(lists, ["hidden"], seeds, drawn, {"hidden": (0.1,)})
    assert [(row.constant, row.value, row.in_use) for row in (other, in_use)] == [
        ("hidden", 0.1, False),
        ("hidden", EncoderConstants().hidden, True),
    ]
    for row in (other, in_use):
        gains = [rank_gains(drawn(lists, EncoderConstants(hidden=row.value), seed))["ndcg"] for seed in seeds]
        assert row.ndcg == pytest.approx(np.mean(gains))
        assert row.ndcg_of_seeds == pytest.approx(np.mean(gains, axis=1))
    for gain, mean in ((other.hr_gain, other.hr - in_use.hr), (other.ndcg_gain, other.ndcg - in_use.ndcg)):
        assert gain.mean == pytest.approx(mean)
        assert gain.low < gain.mean < gain.high
    assert (in_use.ndcg_gain.low, in_use.ndcg_gain.mean, in_use.ndcg_gain.high) == (0, 0, 0)


@pytest.mark.soak
def test_the_command_prints_the_value_in_use_and_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--asks", str(folder), "--training-constant", "passes", "--seeds", "1"], {"passes": (1,)}) == 0
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if line.startswith("│")]
    assert [(row[:2], row[5]) for row in rows] == [
        (["passes", "1"], ""),
        (["passes", str(EncoderConstants().passes)], "in use"),
    ]
    assert "+" in rows[0][6] or "-" in rows[0][6]
    assert rows[1][6:] == ["", ""]
    assert rows[0][3] in next(line for line in printed.splitlines() if line.startswith("passes 1, seed 7"))


def test_an_unknown_constant_is_refused_with_the_choices(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--asks", str(folder), "--training-constant", "smooth"]) == 1
    assert capsys.readouterr().err == (
        "error: --training-constant: expected one of smoothing, hidden, dropout, not_positive, passes, batch, rate, late_rate, "
        "all, got smooth\n"
    )
    assert known_constants([ALL, "rate"]) == tuple(TRIED)
    assert known_constants(["rate", "rate"]) == ("rate",)
    with pytest.raises(BadInput):
        known_constants(["rate", "EVENTS"])
