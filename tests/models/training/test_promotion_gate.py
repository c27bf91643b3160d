"""The gate: what does not load or answer right is refused with its reason and never published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from features.arrays import IntArray
from features.errors import Broken
from features.inputs.input_maps import INPUTS_VERSION
from models import nets
from models.nets.parts.net import Net
from models.registry import (
    MANIFEST,
    DataSeen,
    ModelInput,
    change_labels,
    encode_manifest,
    folder_digests,
    list_versions,
    publish,
    read_manifest,
)
from models.training.runtime import import_tensorflow
from tests.models.fake_version import a_staged_version, publish_one

import_tensorflow()

import tensorflow as tf  # noqa: E402

from models.training import promotion_gate  # noqa: E402
from models.training.export import OUTPUT, WARM_UP, stage, write_warm_up  # noqa: E402
from models.training.fitting.fit_rows import input_specs  # noqa: E402
from models.training.pipeline import gate_and_publish  # noqa: E402
from models.training.towers import read_item_vectors  # noqa: E402
from tests.schemas import MOVIES, SHOP  # noqa: E402

pytestmark = pytest.mark.keras

NET = nets.find("neuralcf")


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[Path, str], None]:
    """Try to publish a staged folder, expect a refusal with this reason, and nothing under the base path."""

    def check(folder: Path, reason: str) -> None:
        with pytest.raises(Broken, match=reason):
            gate_and_publish(folder, tmp_path / "models", "neuralcf")
        assert list_versions(tmp_path / "models", "neuralcf") == []

    return check


def seal(folder: Path, **changes: Any) -> None:
    """Make the manifest fit the files again, as if they had been written so; with `changes`."""
    manifest = msgspec.structs.replace(read_manifest(folder), digests=folder_digests(folder), **changes)
    (folder / MANIFEST).write_bytes(encode_manifest(manifest))


def test_a_whole_version_is_published(staged: Callable[[str], Path], tmp_path: Path) -> None:
    assert gate_and_publish(staged("neuralcf"), tmp_path / "models", "neuralcf") == 1
    assert promotion_gate.check_version(tmp_path / "models" / "neuralcf" / "1").version == 1


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data-00000-of-00001", str(WARM_UP)])
@pytest.mark.parametrize("sealed", [False, True])
def test_a_cut_file(
    staged: Callable[[str], Path], refused: Callable[[Path, str], None], name: str, sealed: bool
) -> None:
    folder = staged("neuralcf")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    if sealed:
        seal(folder)
    refused(folder, "can't be loaded" if sealed else "was changed or cut")


def test_a_weight_that_no_golden_row_looks_at(
    fitted: Callable[[str], Any], samples: Any, staged: Callable[[str], Path], refused: Callable[[Path, str], None]
) -> None:
    whole = fitted("neuralcf")
    model = whole.model
    table = model.get_layer("gmf_user").embeddings
    before = table.numpy()
    spoiled = before.copy()
    spoiled[np.setdiff1d(np.arange(1, 40), golden_users(staged("neuralcf"), fitted))[0]] = np.nan
    folder = staged("neuralcf")
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        file.unlink()
    try:
        table.assign(spoiled)
        stage(NET, whole, samples, {"auc": 0.7}, DataSeen(), folder)
    finally:
        table.assign(before)
    refused(folder, "the variable .* holds values that are not finite")


def golden_users(folder: Path, fitted: Callable[[str], Any]) -> IntArray:
    ids = [row.inputs["userId"] for row in read_manifest(folder).golden]
    rows: IntArray = np.searchsorted(fitted("neuralcf").context.user_ids, ids)
    return rows + 1


def test_other_inputs_than_declared(staged: Callable[[str], Path], refused: Callable[[Path, str], None]) -> None:
    folder = staged("neuralcf")
    golden = tuple(msgspec.structs.replace(row, inputs={"userId": 1}) for row in read_manifest(folder).golden)
    seal(folder, inputs=(ModelInput("userId", "int64"),), golden=golden)
    refused(folder, r"expected the inputs userId int64\[-1\], got movieId int64\[-1\], userId int64\[-1\]")


def test_another_width_than_declared(staged: Callable[[str], Path], tmp_path: Path) -> None:
    folder = staged("widedeep")
    manifest = read_manifest(folder)
    inputs = tuple(msgspec.structs.replace(i, width=i.width + 1) if i.name == "cross" else i for i in manifest.inputs)
    seal(folder, inputs=inputs)
    with pytest.raises(Broken, match=r"cross float32\[-1, 5\].*, got cross float32\[-1, 4\]"):
        promotion_gate.check_version(folder)


def test_another_score_than_recorded(staged: Callable[[str], Path], refused: Callable[[Path, str], None]) -> None:
    folder = staged("neuralcf")
    golden = read_manifest(folder).golden
    off = msgspec.structs.replace(golden[2], scores=[golden[2].scores[0] + 2e-4])
    seal(folder, golden=(*golden[:2], off, *golden[3:]))
    refused(folder, "golden row 2: expected")


def test_columns_of_another_meaning(staged: Callable[[str], Path], refused: Callable[[Path, str], None]) -> None:
    folder = staged("neuralcf")
    seal(folder, inputs_version=999)
    refused(folder, "trained on inputs version 999")


def test_another_schema_than_the_homes_is_refused_even_with_force(
    staged: Callable[[str], Path], tmp_path: Path
) -> None:
    models = tmp_path / "models"
    with pytest.raises(
        Broken, match=rf"neuralcf \(new\) was trained under another .* base has {SHOP.digest}\): train it"
    ):
        gate_and_publish(staged("neuralcf"), models, "neuralcf", force=True, schema=SHOP.digest)
    assert list_versions(models, "neuralcf") == []
    assert gate_and_publish(staged("neuralcf"), models, "neuralcf", schema=MOVIES.digest) == 1


def test_a_live_version_of_another_schema_is_no_measure(staged: Callable[[str], Path], tmp_path: Path) -> None:
    models = tmp_path / "models"
    gate_and_publish(staged("neuralcf"), models, "neuralcf")
    worse = staged("neuralcf")
    seal(worse, metrics={"auc": 0.5}, schema=SHOP.digest)
    assert gate_and_publish(worse, models, "neuralcf", schema=SHOP.digest) == 2


def test_no_warm_up_or_one_for_another_model(
    staged: Callable[[str], Path], samples: Any, refused: Callable[[Path, str], None]
) -> None:
    folder = staged("neuralcf")
    write_warm_up(Net("other", NET.inputs, NET.build), samples.validation.inputs, folder)
    seal(folder)
    refused(folder, "expected requests to neuralcf, got one to 'other'")
    (folder / WARM_UP).unlink()
    seal(folder)
    refused(folder, "is missing: a version ships with warm-up requests")


def test_a_keras_model_saved_the_way_that_serves_nothing(
    fitted: Callable[[str], Any], staged: Callable[[str], Path], refused: Callable[[Path, str], None]
) -> None:
    """Trap 1 of the contract: loads and runs in Python, fails every request in TensorFlow Serving."""
    model, folder = fitted("neuralcf").model, staged("neuralcf")
    specs = input_specs(NET, dict.fromkeys(NET.inputs, 0))
    serve = tf.function(lambda inputs: {OUTPUT: model(inputs, training=False)}, input_signature=[specs])
    tf.saved_model.save(model, str(folder), signatures={"serving_default": serve})
    seal(folder)
    refused(folder, "can't be loaded")


def test_worse_than_the_live_version_needs_force(staged: Callable[[str], Path], tmp_path: Path) -> None:
    models = tmp_path / "models"
    gate_and_publish(staged("neuralcf"), models, "neuralcf")
    slightly, much = staged("neuralcf"), staged("neuralcf")
    seal(slightly, metrics={"auc": 0.685})
    assert gate_and_publish(slightly, models, "neuralcf") == 2
    seal(much, metrics={"auc": 0.66})
    with pytest.raises(Broken, match=r"auc 0\.6600 is more than 0\.02 below the 0\.6850 of version 2"):
        gate_and_publish(much, models, "neuralcf")
    assert list_versions(models, "neuralcf") == [1, 2]
    assert gate_and_publish(much, models, "neuralcf", force=True) == 3


def test_a_version_of_other_inputs_does_not_block_the_next(tmp_path: Path) -> None:
    """It ranks for nobody, and its figures are of other lessons."""
    folder = a_staged_version(tmp_path, inputs_version=INPUTS_VERSION - 1, metrics={"auc": 0.99})
    publish(folder, tmp_path, "toy")
    assert promotion_gate.live_version(tmp_path, "toy") is None
    publish_one(tmp_path)
    live = promotion_gate.live_version(tmp_path, "toy")
    assert live is not None
    assert live.version == 2


def test_the_live_version_is_the_one_that_ranks_by_its_label(tmp_path: Path) -> None:
    for _ in range(3):
        publish_one(tmp_path)
    change_labels(tmp_path, "toy", lambda found: found.decided(1, "begun", stable=1, lost=(3,)))
    live = promotion_gate.live_version(tmp_path, "toy")
    assert live is not None
    assert live.version == 1
    change_labels(tmp_path, "toy", lambda found: found.decided(2, "off", stable=None))
    live = promotion_gate.live_version(tmp_path, "toy")
    assert live is not None
    assert live.version == 2, "the newest that has not lost"


def test_a_version_made_anew_is_held_to_one_that_was_measured_as_it_was(tmp_path: Path) -> None:
    """Not to the live one, which went on from it and was measured among a few shown items; what goes on itself is."""
    for metrics in ({"auc": 0.87}, {"auc": 0.62, promotion_gate.LIVE_AUC: 0.61}):
        publish(a_staged_version(tmp_path, metrics=metrics), tmp_path, "toy")
    live = promotion_gate.live_version(tmp_path, "toy")
    assert live is not None
    assert live.version == 2

    def held_to(**metrics: float) -> int:
        other = promotion_gate.compared_version(tmp_path, msgspec.structs.replace(live, metrics=metrics))
        assert other is not None
        return other.version

    anew = msgspec.structs.replace(live, metrics={"auc": 0.61})
    assert held_to(auc=0.61) == 1
    assert held_to(auc=0.61, live_auc=0.62) == 2
    with pytest.raises(Broken, match=r"auc 0\.6100 is more than 0\.02 below the 0\.8700 of version 1"):
        promotion_gate.check_not_worse(anew, promotion_gate.compared_version(tmp_path, anew))


def test_a_broken_live_version_does_not_block_the_next(staged: Callable[[str], Path], tmp_path: Path) -> None:
    models = tmp_path / "models"
    gate_and_publish(staged("neuralcf"), models, "neuralcf")
    gate_and_publish(staged("neuralcf"), models, "neuralcf")
    (models / "neuralcf" / "2" / MANIFEST).write_text("{")
    live = promotion_gate.live_version(models, "neuralcf")
    assert live is not None
    assert live.version == 1
    assert gate_and_publish(staged("neuralcf"), models, "neuralcf") == 3


def test_vectors_that_rank_otherwise_than_the_scores(staged: Callable[[str], Path]) -> None:
    folder = staged("twotower")
    path = folder / "vectors" / "items.npy"
    np.save(path, -np.load(path))
    seal(folder)
    with pytest.raises(Broken, match="rank the golden rows otherwise"):
        promotion_gate.check_version(folder)


def test_vectors_that_rank_some_golden_rows_otherwise(staged: Callable[[str], Path]) -> None:
    """Not all of them: two items have changed places."""
    folder = staged("twotower")
    manifest = read_manifest(folder)
    assert manifest.towers is not None
    ids, vectors = read_item_vectors(folder / manifest.towers.folder)
    rows = [int(np.searchsorted(ids, row.inputs["movieId"])) for row in manifest.golden]
    scores = np.array([row.scores[0] for row in manifest.golden])
    best, worst = rows[int(scores.argmax())], rows[int(scores.argmin())]
    vectors = np.array(vectors)
    vectors[[best, worst]] = vectors[[worst, best]]
    np.save(folder / "vectors" / "items.npy", vectors)
    seal(folder)
    with pytest.raises(Broken, match="rank the golden rows otherwise"):
        promotion_gate.check_version(folder)


def test_a_warm_up_request_that_gets_no_finite_score(staged: Callable[[str], Path], samples: Any, refused: Any) -> None:
    folder = staged("widedeep")
    net = nets.find("widedeep")
    rows = {name: np.array(values[:3]) for name, values in samples.validation.inputs.items()}
    rows["cross"] = np.full_like(rows["cross"], np.nan)
    write_warm_up(net, rows, folder)
    seal(folder)
    with pytest.raises(Broken, match="gets scores that are not finite"):
        promotion_gate.check_version(folder)


def test_vectors_that_are_not_finite_or_not_there(staged: Callable[[str], Path]) -> None:
    folder = staged("twotower")
    path = folder / "vectors" / "items.npy"
    vectors = np.load(path)
    vectors[-1, 0] = np.inf
    np.save(path, vectors)
    seal(folder)
    with pytest.raises(Broken, match="expected finite vectors"):
        promotion_gate.check_version(folder)
    path.unlink()
    seal(folder)
    with pytest.raises(Broken, match="holds no vectors of items"):
        promotion_gate.check_version(folder)
