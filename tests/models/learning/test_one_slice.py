"""A slice: versions are scored on it before anything learns it, and weights go on from a version, published or not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from rich.console import Console

from features.errors import BadInput, Broken
from features.units import DAY_MS
from models.registry import MANIFEST, list_versions, publish, read_manifest, staging_folder
from models.training.runtime import import_tensorflow
from tests.effort import SMALL
from tests.models.synthetic_lists import write_ranking_lists

import_tensorflow()

from models.learning.__main__ import main  # noqa: E402
from models.learning.one_slice import MEASURED, SliceOptions, learn_slice, split  # noqa: E402
from models.learning.slice_result import RESULT, SliceResult  # noqa: E402
from models.learning.slice_scores import SIGNALS, WEIGHTS  # noqa: E402
from models.training.fitting.warm_start import WEIGHTS as WEIGHTS_FILE  # noqa: E402
from models.training.fitting.warm_start import earlier_in  # noqa: E402
from models.training.lessons.list_data import read_lists  # noqa: E402
from models.training.pipeline import gate_and_publish  # noqa: E402

pytestmark = pytest.mark.keras


class Slices:
    """A published version of a model, and slices that go on from it."""

    def __init__(self, folder: Path, staged: Path, name: str = "fusion") -> None:
        self.folder, self.models, self.name = folder, folder / "models", name
        publish(staged, self.models, name)
        self.version = self.models / name / "1"
        self.printed = Console(record=True, quiet=True)

    def lists(self, name: str, **of: Any) -> Path:
        write_ranking_lists(self.folder / name, **of)
        return self.folder / name

    def learn(
        self, out: str, new: Path, start: Path | None = None, whole: Path | None = None, **more: int
    ) -> SliceResult:
        (self.folder / out).mkdir()
        options = SliceOptions(
            name=self.name, start=start or self.version, new=new, whole=whole or new, since=more.get("since", -1),
            compared={f"{self.name}:1": self.version}, models=self.models, out=self.folder / out, effort=SMALL,
        )  # fmt: skip
        return learn_slice(options, self.printed)


@pytest.fixture
def slices(staged: Callable[[str], Path], tmp_path: Path) -> Slices:
    return Slices(tmp_path, staged("fusion"))


A_MONTH_LATER: Final = {"users": 30, "later": 30 * DAY_MS, "seed": 5}


@pytest.fixture(scope="module")
def learned(staged_once: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SliceResult]:
    """A version that has learned the lists of A_MONTH_LATER, and what came of it."""
    folder = tmp_path_factory.mktemp("learned")
    staged = staging_folder(folder / "models", "fusion")
    shutil.copytree(staged_once("fusion"), staged, dirs_exist_ok=True)
    slices = Slices(folder, staged)
    result = slices.learn("out", slices.lists("new", **A_MONTH_LATER))
    return slices.folder / "out" / "version", result


def test_a_slice_is_scored_then_learned_and_the_next_one_goes_on_from_there(
    slices: Slices, learned: tuple[Path, SliceResult]
) -> None:
    version, result = learned
    assert set(result.ndcg10) == {SIGNALS, WEIGHTS, "fusion:1"}
    assert result.ndcg10[WEIGHTS] == result.ndcg10["fusion:1"] > 0
    assert 0 < result.learned == result.lists
    second = slices.lists("second", users=30, later=60 * DAY_MS, seed=5)
    after = slices.learn("out-2", second, start=version)
    assert after.ndcg10[WEIGHTS] != after.ndcg10["fusion:1"]
    before, now = earlier_in(slices.version, "1"), earlier_in(slices.folder / "out-2" / "version", "2")
    assert before.values.keys() == now.values.keys()
    assert any(not np.array_equal(before.values[name], now.values[name]) for name in before.values)
    staged = staging_folder(slices.models, "fusion")
    shutil.copytree(slices.folder / "out-2" / "version", staged, dirs_exist_ok=True)
    assert gate_and_publish(staged, slices.models, "fusion", force=True) == 2
    assert list_versions(slices.models, "fusion") == [1, 2]


def test_too_few_lists_are_scored_and_not_learned(slices: Slices) -> None:
    few = slices.lists("few", users=2, events=10, later=30 * DAY_MS)
    result = slices.learn("out", few)
    assert (0 < result.lists < 8, result.learned) == (True, 0)
    assert WEIGHTS in result.ndcg10
    assert not (slices.folder / "out" / "version").exists()


def with_old(slices: Slices) -> tuple[Path, Path]:
    """(new, whole): folders of a few lists, and of these with more that come again."""
    new, whole = (slices.lists(name, users=2, events=10, later=30 * DAY_MS) for name in ("few", "whole"))
    for path in (slices.lists("before", users=30, later=20 * DAY_MS, seed=5) / "asks").iterdir():
        shutil.copy(path, whole / "asks" / f"again-{path.name}")
    return new, whole


def values_of(version: Path, part: str) -> dict[str, Any]:
    return {path: value for path, value in earlier_in(version, "it").values.items() if path.startswith(part)}


def are_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one) and all(np.array_equal(value, other[path]) for path, value in one.items())


@pytest.mark.soak
def test_a_few_lists_teach_the_sequence_model_and_not_what_weighs(slices: Slices) -> None:
    new, whole = with_old(slices)
    result = slices.learn("out", new, whole=whole)
    assert 0 < result.lists < 8 < result.learned
    learned = slices.folder / "out" / "version"
    assert are_same(values_of(slices.version, "weighing/"), values_of(learned, "weighing/"))
    assert not are_same(values_of(slices.version, "encoder/"), values_of(learned, "encoder/"))


def test_what_weighs_learns_no_list_that_its_sequence_model_has_learned(slices: Slices) -> None:
    new = slices.lists("new", users=30, later=30 * DAY_MS, seed=5)
    whole = slices.lists("whole", users=30, later=30 * DAY_MS, seed=5)
    for path in (slices.lists("before", users=60, later=20 * DAY_MS, seed=6) / "asks").iterdir():
        shutil.copy(path, whole / "asks" / f"again-{path.name}")
    maps = read_manifest(slices.version).maps
    of_new, of_all = (read_lists(folder / "asks", maps) for folder in (new, whole))
    taught, measured = split(of_new, of_all)
    half = len(of_new) // 2
    assert taught.seqs.tolist() == of_new.seqs[:half].tolist()
    assert set(taught.at) <= set(of_new.at)
    assert len(of_all) - half > MEASURED > len(of_new) - half
    assert len(measured) == MEASURED
    assert measured.at[-(len(of_new) - half) :].tolist() == of_new.at[half:].tolist()
    assert not set(measured.at[: -(len(of_new) - half)]) & set(of_new.at)


@pytest.mark.soak
def test_lists_come_again_for_a_net_without_a_sequence_model(staged: Callable[[str], Path], tmp_path: Path) -> None:
    slices = Slices(tmp_path, staged("din"), "din")
    new, whole = with_old(slices)
    assert slices.learn("out", new, whole=whole).learned > 8


@pytest.mark.soak
def test_the_sequence_model_learns_from_all_that_users_did(slices: Slices, learned: tuple[Path, SliceResult]) -> None:
    slices.learn("out", slices.lists("new", **A_MONTH_LATER, acts=True))
    of_lists, of_all = learned[0], slices.folder / "out" / "version"
    assert are_same(values_of(of_lists, "weighing/"), values_of(of_all, "weighing/"))
    assert not are_same(values_of(of_lists, "encoder/"), values_of(of_all, "encoder/"))


def test_lists_of_before_the_version_are_left_out(slices: Slices) -> None:
    old = slices.lists("old", users=10, later=30 * DAY_MS)
    result = slices.learn("out", old, since=2**60)
    assert (result.lists, result.learned, result.ndcg10) == (0, 0, {})


def test_weights_that_are_not_finite_are_refused_by_name_and_nothing_is_written(slices: Slices) -> None:
    bad = slices.folder / "bad"
    shutil.copytree(slices.version, bad)
    with np.load(bad / WEIGHTS_FILE) as file:
        values = {name: file[name] for name in file.files}
    for name, value in values.items():
        if value.dtype.kind == "f":
            values[name] = np.full_like(value, np.nan)
    np.savez(bad / WEIGHTS_FILE, **values)
    new = slices.lists("new", users=10, later=30 * DAY_MS)
    with pytest.raises(Broken, match=r"not finite|diverged"):
        slices.learn("out", new, start=bad)
    assert not (slices.folder / "out" / RESULT).exists()


def test_a_version_that_can_not_score_is_left_out_by_name(slices: Slices) -> None:
    manifest = read_manifest(slices.version)
    other = slices.folder / "other"
    shutil.copytree(slices.version, other)
    (other / MANIFEST).write_text((other / MANIFEST).read_text().replace(manifest.schema, "another"))
    new = slices.lists("new", users=2, events=10, later=30 * DAY_MS)
    (slices.folder / "out").mkdir()
    options = SliceOptions(
        name="fusion", start=slices.version, new=new, whole=new, since=-1, compared={"fusion:7": other},
        models=slices.models, out=slices.folder / "out", effort=SMALL,
    )  # fmt: skip
    printed = Console(record=True, width=300)
    result = learn_slice(options, printed)
    assert set(result.ndcg10) == {SIGNALS, WEIGHTS}
    assert "fusion:7 does not score the slice" in printed.export_text()


def test_a_model_that_learns_from_rows_is_refused(slices: Slices) -> None:
    options = SliceOptions(
        name="widedeep", start=slices.version, new=slices.folder, whole=slices.folder, since=-1, compared={},
        models=slices.models, out=slices.folder,
    )  # fmt: skip
    with pytest.raises(
        BadInput, match=r"learn\.model: expected a model that learns from lists or sequences, got widedeep"
    ):
        learn_slice(options, slices.printed)


def test_the_command_says_what_is_wrong_in_one_line(slices: Slices, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [
        "--model",
        "fusion",
        "--start",
        str(slices.folder / "none"),
        "--new",
        str(slices.lists("new", users=3, later=DAY_MS)),
    ]
    argv += ["--whole", str(slices.folder / "new"), "--models", str(slices.models), "--out", str(slices.folder)]
    assert main([*argv, "--compare", "nothing"]) == 1
    assert "--compare: expected TITLE=FOLDER, got nothing" in capsys.readouterr().err
    assert main(argv) == 1
    assert "the weights of fusion: expected a version with weights to go on from" in capsys.readouterr().err
