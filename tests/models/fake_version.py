"""Versions without a model in them, for what looks only at files."""

from pathlib import Path

import msgspec

from features.inputs.input_maps import INPUTS_VERSION, InputMaps
from models.registry import (
    MANIFEST,
    DataSeen,
    Golden,
    Manifest,
    ModelInput,
    encode_manifest,
    folder_digests,
    publish,
    staging_folder,
)


def a_manifest(name: str = "toy", **changes: object) -> Manifest:
    manifest = Manifest(
        name=name,
        version=0,
        inputs=(ModelInput("userId", "int64"), ModelInput("cross", "float32", 2)),
        maps=InputMaps(("Drama",), cross_mean=(0.5, 1.5), cross_std=(1.0, 2.0)),
        inputs_version=INPUTS_VERSION,
        outputs=("score",),
        golden=(Golden({"userId": 2**63 - 1, "cross": [0.1, -0.25]}, [0.75]),),
        metrics={"auc": 0.8},
        data=DataSeen("ml-100k", rows=10),
        code_revision="",
        created=1_700_000_000_000,
        digests={},
    )
    return msgspec.structs.replace(manifest, **changes)


def a_staged_version(models_dir: Path, name: str = "toy", **changes: object) -> Path:
    folder = staging_folder(models_dir, name)
    (folder / "saved_model.pb").write_bytes(b"a graph")
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_bytes(b"weights")
    manifest = a_manifest(name, **({"digests": folder_digests(folder)} | changes))
    (folder / MANIFEST).write_bytes(encode_manifest(manifest))
    return folder


def publish_one(models_dir: Path, name: str = "toy", **changes: object) -> int:
    return publish(a_staged_version(models_dir, name, **changes), models_dir, name)
