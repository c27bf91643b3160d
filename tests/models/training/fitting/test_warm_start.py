"""Going on from a version: its weights come back by id, it learns what is newer alone, and the gate compares on that."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from features.errors import BadInput, Broken
from features.inputs.input_maps import InputMaps
from features.inputs.model_inputs import width_of
from features.units import DAY_MS
from models import nets
from models.nets.parts.net import UNKNOWN_ID, NetContext
from models.registry import Manifest, newest, publish
from models.training.runtime import import_tensorflow
from tests.effort import SMALL
from tests.models.fake_version import a_manifest
from tests.models.synthetic_lists import write_ranking_lists
from tests.models.synthetic_rows import GENRES, write_samples
from tests.schemas import SHOP

import_tensorflow()

from models.training import promotion_gate  # noqa: E402
from models.training.fitting.fit_lists import fit_on_lists  # noqa: E402
from models.training.fitting.warm_start import WEIGHTS, has_bounds, read_earlier, take_over, with_new  # noqa: E402
from models.training.lessons.list_data import RankingLists, read_ranking_lists  # noqa: E402
from models.training.pipeline import Options, live_metrics, train_all, training_key  # noqa: E402

pytestmark = pytest.mark.keras


@pytest.fixture
def published(staged: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """name → the models folder, with version 1 of that net in it."""

    def one(name: str) -> Path:
        publish(staged(name), tmp_path / "models", name)
        return tmp_path / "models"

    return one


@pytest.mark.parametrize(
    "name", ["neuralcf", "widedeep", "din", "fusion", pytest.param("deepfm", marks=pytest.mark.soak)]
)
def test_known_ids_score_as_before_among_new_ones(
    name: str, published: Callable[[str], Path], fitted: Callable[[str], Any], lessons: Callable[[str], Any]
) -> None:
    earlier = read_earlier(published(name), name, 1)
    old = fitted(name)
    users = with_new(old.context.user_ids, np.array([1, 1000]))
    items = with_new(old.context.item_ids, np.array([2, 11, 5000, UNKNOWN_ID]))
    assert len(items) == len(old.context.item_ids) + 3
    context = NetContext(users, items, old.context.widths, seed=99)
    model = nets.find(name).build(context)
    take_over(model, context, earlier)
    rows = {
        key: values[:40] for key, values in lessons(name).validation.inputs.items() if key in nets.find(name).inputs
    }
    np.testing.assert_allclose(model(rows).numpy(), old.model(rows).numpy(), atol=1e-6)


@pytest.mark.soak
def test_a_version_of_before_bounds_goes_on_and_has_some_then(
    published: Callable[[str], Path], ranking_lists: Any
) -> None:
    earlier = read_earlier(published("fusion"), "fusion", 1)
    assert has_bounds(earlier)
    before = replace(earlier, values={path: value for path, value in earlier.values.items() if "/bounds/" not in path})
    assert not has_bounds(before)
    model = fit_on_lists(nets.find("fusion"), ranking_lists, seed=3, earlier=before, effort=SMALL).model
    assert all(np.abs(each.numpy()).max() > 0 for each in model.get_layer("next_item").bounds.weights)


def test_a_net_that_was_built_otherwise_is_refused(
    published: Callable[[str], Path], fitted: Callable[[str], Any]
) -> None:
    earlier = read_earlier(published("neuralcf"), "neuralcf", 1)
    context = fitted("widedeep").context
    with pytest.raises(Broken, match="neuralcf was built otherwise in version 1"):
        take_over(nets.find("widedeep").build(context), context, earlier)


def test_a_version_without_weights_is_refused(published: Callable[[str], Path]) -> None:
    models = published("neuralcf")
    (models / "neuralcf" / "1" / WEIGHTS).unlink()
    with pytest.raises(BadInput, match="neuralcf version 1: expected a version with weights"):
        read_earlier(models, "neuralcf", 1)
    with pytest.raises(BadInput, match="version: expected a version of neuralcf"):
        read_earlier(models, "neuralcf", 2)


def quiet() -> Console:
    return Console(quiet=True)


def test_rows_that_are_newer_alone_teach(samples_folder: Path, tmp_path: Path) -> None:
    models, newer = tmp_path / "models", tmp_path / "newer"
    anew = Options(samples_folder, models, ("widedeep",), epochs=1)
    train_all(anew, quiet())
    first = newest(models, "widedeep")
    assert first is not None
    with pytest.raises(Broken, match="holds no samples after"):
        train_all(Options(samples_folder, models, ("widedeep",), epochs=1, go_on=0), quiet())
    write_samples(newer, later=DAY_MS)
    shutil.copy(samples_folder / "samples" / "part-0.parquet", newer / "samples" / "old.parquet")
    train_all(Options(newer, models, ("widedeep",), epochs=1, go_on=0), quiet())
    second = newest(models, "widedeep")
    assert second is not None
    assert (second.version, second.data.rows) == (2, 2700)
    assert second.data.from_ms > first.data.to_ms
    assert second.metrics[promotion_gate.LIVE_AUC] == pytest.approx(first.metrics["auc"], abs=0.05)
    assert second.metrics["auc"] > first.metrics["auc"] - 0.02


def test_another_schema_is_refused(samples_folder: Path, tmp_path: Path) -> None:
    models, newer = tmp_path / "models", tmp_path / "newer"
    train_all(Options(samples_folder, models, ("neuralcf",), epochs=1), quiet())
    write_samples(newer, later=100 * DAY_MS)
    meta = json.loads((newer / "meta.json").read_text())
    (newer / "meta.json").write_text(json.dumps(meta | {"schema": SHOP.digest}))
    with pytest.raises(Broken, match=r"neuralcf 1 was trained under another meaning of events .*: train it anew"):
        train_all(Options(newer, models, ("neuralcf",), epochs=1, go_on=1), quiet())
    del meta["schema"]
    (newer / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(Broken, match=r"meta\.json names no schema: ./martlet features makes training data anew"):
        train_all(Options(newer, models, ("neuralcf",), epochs=1), quiet())


def test_maps_of_another_base_are_refused(samples_folder: Path, tmp_path: Path) -> None:
    models, newer = tmp_path / "models", tmp_path / "newer"
    train_all(Options(samples_folder, models, ("neuralcf",), epochs=1), quiet())
    write_samples(newer, later=DAY_MS, seed=2)
    with pytest.raises(Broken, match="maps of another base"):
        train_all(Options(newer, models, ("neuralcf",), epochs=1, go_on=1), quiet())


@pytest.mark.soak
@pytest.mark.parametrize("name", ["fusion", "sasrec"])
def test_shown_lists_teach_a_sequence_model_too(name: str, published: Callable[[str], Path], tmp_path: Path) -> None:
    models, newer = published(name), tmp_path / "newer"
    write_ranking_lists(newer, users=40, later=30 * DAY_MS, seed=5)
    ranking_lists = read_ranking_lists(newer)
    assert ranking_lists.histories is None
    train_all(Options(tmp_path, models, (name,), ranking_lists=newer, go_on=1, effort=SMALL), quiet())
    second = newest(models, name)
    assert second is not None
    assert second.version == 2
    assert second.data.rows == len(ranking_lists.train_lists)
    assert second.metrics["auc"] > second.metrics[promotion_gate.LIVE_AUC] - 0.02
    with pytest.raises(BadInput, match="expected histories, or a version to go on from"):
        fit_on_lists(nets.find(name), ranking_lists, seed=3)


def test_the_gate_compares_on_the_same_validation() -> None:
    def of(**metrics: float) -> Manifest:
        return a_manifest("fusion", version=3, metrics=metrics)

    promotion_gate.check_not_worse(of(auc=0.6, live_auc=0.6), of(auc=0.9))
    with pytest.raises(Broken, match=r"auc 0\.6000 is more than 0\.02 below the 0\.7000 of version 3"):
        promotion_gate.check_not_worse(of(auc=0.6, live_auc=0.7), of(auc=0.5))


def shifted(ranking_lists_folder: Path, out: Path, **maps: Any) -> Path:
    """The lists as they are, with other maps."""
    shutil.copytree(ranking_lists_folder, out)
    whole = json.loads((out / "maps.json").read_text())
    (out / "maps.json").write_text(json.dumps(whole | maps))
    return out


def test_the_live_version_is_measured_under_its_own_maps(
    published: Callable[[str], Path], ranking_lists_folder: Path, tmp_path: Path
) -> None:
    net, models = nets.find("din"), published("din")
    own = read_ranking_lists(ranking_lists_folder)
    means = [7.0] * len(own.maps.user_mean)
    folder = shifted(ranking_lists_folder, tmp_path / "shifted", user_mean=means)
    lists = read_ranking_lists(folder)

    def under(maps: InputMaps) -> RankingLists:
        return read_ranking_lists(folder, maps=maps)

    found = live_metrics(net, lists, models, under)
    assert found == live_metrics(net, own, models, under)
    assert found != live_metrics(net, replace(lists, maps=own.maps), models, under), "the columns matter"


def test_a_live_version_of_another_vocabulary_is_not_measured(
    published: Callable[[str], Path], ranking_lists_folder: Path, tmp_path: Path
) -> None:
    models = published("din")
    width = width_of("user", (*GENRES, "another"))
    lists = replace(
        read_ranking_lists(ranking_lists_folder),
        maps=InputMaps((*GENRES, "another"), (0.0,) * width, (1.0,) * width),
    )
    assert live_metrics(nets.find("din"), lists, models, lambda _: lists) == {}


def test_a_training_goes_on_only_with_the_same_lessons(ranking_lists_folder: Path, tmp_path: Path) -> None:
    options = Options(tmp_path, tmp_path, ("sasrec",), ranking_lists=ranking_lists_folder)
    lists, net = read_ranking_lists(ranking_lists_folder), nets.find("sasrec")
    key = training_key(net, lists, options)
    assert training_key(net, read_ranking_lists(ranking_lists_folder), options) == key
    assert lists.histories is not None
    items = lists.histories.items.copy()
    items[0] += 1
    other = replace(lists, histories=replace(lists.histories, items=items))
    assert training_key(net, other, options) != key
