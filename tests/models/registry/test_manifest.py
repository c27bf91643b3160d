"""A manifest says what it is, or what is wrong with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from features.errors import Broken
from models.registry import (
    MANIFEST,
    encode_manifest,
    read_manifest,
    require_current_inputs,
    require_schema,
    verify_digests,
)
from tests.models.fake_version import a_manifest, a_staged_version
from tests.schemas import MOVIES, SHOP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_staged_version(tmp_path)


def change(folder: Path, **fields: object) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_it_comes_back_as_it_was_written(folder: Path) -> None:
    manifest = a_manifest()
    (folder / MANIFEST).write_bytes(encode_manifest(manifest))
    assert read_manifest(folder) == manifest


def test_fields_of_a_newer_writer_are_ignored(folder: Path) -> None:
    before = read_manifest(folder)
    change(folder, some_new_field={"a": 1})
    assert read_manifest(folder) == before


def test_a_version_of_before_there_were_schemas_knows_films(folder: Path) -> None:
    path = folder / MANIFEST
    fields = json.loads(path.read_text())
    del fields["schema"]
    path.write_text(json.dumps(fields))
    manifest = read_manifest(folder)
    require_schema(manifest, MOVIES.digest)
    with pytest.raises(
        Broken, match=rf"another meaning of events \(schema {MOVIES.digest}, .*{SHOP.digest}\): train it"
    ):
        require_schema(manifest, SHOP.digest)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"manifest\.json can't be read: No such file"):
        read_manifest(tmp_path)


def test_a_cut_manifest_is_named(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(Broken, match=r"manifest\.json is not a manifest: .*truncated"):
        read_manifest(folder)


def test_the_wrong_field_is_named(folder: Path) -> None:
    change(folder, version="one")
    with pytest.raises(Broken, match=r"Expected `int`, got `str` - at `\$\.version`"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inputs": []}, "expected inputs out of"),
        ({"inputs": [{"name": "mood", "dtype": "int64"}]}, "got mood"),
        ({"golden": []}, "golden rows, got none"),
        ({"golden": [{"inputs": {"userId": 1}, "scores": [0.5]}]}, "golden row 0"),
        ({"outputs": []}, "expected outputs"),
    ],
)
def test_what_cannot_be_served_is_refused(folder: Path, fields: dict[str, Any], message: str) -> None:
    change(folder, **fields)
    with pytest.raises(Broken, match=message):
        read_manifest(folder)


def test_folder_and_manifest_must_name_one_version(folder: Path, tmp_path: Path) -> None:
    moved = folder.rename(tmp_path / "12")
    with pytest.raises(Broken, match="expected version 12, got 0"):
        read_manifest(moved)


def test_other_inputs_are_not_served() -> None:
    require_current_inputs(a_manifest())
    with pytest.raises(Broken, match="inputs version 999"):
        require_current_inputs(a_manifest(inputs_version=999))


def test_digests_name_the_file_that_was_cut(folder: Path) -> None:
    verify_digests(folder)
    (folder / "variables" / "variables.index").write_bytes(b"weigh")
    with pytest.raises(Broken, match=r"variables/variables\.index was changed or cut"):
        verify_digests(folder)


def test_digests_name_the_file_that_is_missing_or_too_much(folder: Path) -> None:
    (folder / "extra").write_text("")
    with pytest.raises(Broken, match="extra is not in the manifest"):
        verify_digests(folder)
    (folder / "extra").unlink()
    (folder / "saved_model.pb").unlink()
    with pytest.raises(Broken, match=r"saved_model\.pb is missing"):
        verify_digests(folder)
