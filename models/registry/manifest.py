"""The manifest of a version: a model's inputs, how they are made, the answers it must give, and its training data.

It is `manifest.json`, in the folder of `saved_model.pb`. Decoding ignores fields it does not know, and what is added later
has a default: an older server reads a newer manifest and the other way round.
"""

import hashlib
from pathlib import Path
from typing import Final, Literal

import msgspec

from features.errors import Broken
from features.inputs.input_maps import INPUT_NAMES, INPUTS_VERSION, InputMaps
from features.schema.tables import preset_schema

MANIFEST: Final = "manifest.json"


class ModelInput(msgspec.Struct, frozen=True):
    """One named input, [n, width]; a width of 0 stands for [n], as ids are. shared: one row is taken for all n, too."""

    name: str
    dtype: Literal["int64", "float32"]
    width: int = 0
    shared: bool = False


class Golden(msgspec.Struct, frozen=True):
    """One row that the model must answer the same wherever it is loaded.

    inputs: by name, a number or a row of them (one element of `instances` over REST); scores: its row of the output.
    """

    inputs: dict[str, int | list[int | float]]
    scores: list[float]


class Towers(msgspec.Struct, frozen=True):
    """Vectors for recall: a score grows with the inner product of the user's and the item's.

    signature  gives the user's, float32 [n, width], as its one output, of `inputs` (as ModelInput: exactly these)
    folder     within the version: the items' vectors, as `features.base.embedding_files` names the files
    """

    signature: str
    output: str
    inputs: tuple[ModelInput, ...]
    width: int
    folder: str


class DataSeen(msgspec.Struct, frozen=True):
    """A model's training data: rows, distinct users and items it knows, time of the oldest and newest sample (ms)."""

    dataset: str = ""
    base: str = ""
    rows: int = 0
    validation_rows: int = 0
    users: int = 0
    items: int = 0
    from_ms: int = 0
    to_ms: int = 0
    seed: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """One version of one model.

    version        its number; 0 until it is published
    inputs         exactly the inputs of serving_default
    maps           vocabulary and normalisation, for `features.inputs.model_inputs.model_inputs`
    inputs_version the meaning of the columns that it was trained on (see `require_current_inputs`)
    schema         digest of the meaning of events that it was trained under (see `require_schema`)
    outputs        names of the outputs, each [n, 1]
    golden         8 to 16 rows with the scores expected
    metrics        on the newest tenth of the data: auc, gauc, log_loss, and the same of baselines
    code_revision  git's, "" where unknown; created: ms since 1970
    digests        SHA-256 of every other file of the version, by path within it
    towers         of a model that gives vectors for recall
    onnx           path within the version of its ONNX graph, for ranking in the API's process; None: there is none. It takes
                   `inputs`, those that are `shared` with one row, and gives the first of `outputs`, for at least one candidate
    """

    name: str
    version: int
    inputs: tuple[ModelInput, ...]
    maps: InputMaps
    inputs_version: int
    outputs: tuple[str, ...]
    golden: tuple[Golden, ...]
    metrics: dict[str, float]
    data: DataSeen
    code_revision: str
    created: int
    digests: dict[str, str]
    towers: Towers | None = None
    schema: str = preset_schema().digest  # versions of before there was a choice know films
    onnx: str | None = None

    def width_of(self, name: str) -> int:
        """The columns of an input; 0 for ids, and for what the model does not take."""
        return next((each.width for each in self.inputs if each.name == name), 0)


_decoder = msgspec.json.Decoder(Manifest)


def encode_manifest(manifest: Manifest) -> bytes:
    """The JSON of a manifest, indented for people."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a version's folder. Raises Broken, naming the file and what is wrong in it."""
    path = folder / MANIFEST
    try:
        manifest = _decoder.decode(path.read_bytes())
    except OSError as error:
        raise Broken(f"{path} can't be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{path} is not a manifest: {error}") from error
    _check(manifest, folder, path)
    return manifest


def _check(manifest: Manifest, folder: Path, path: Path) -> None:
    unknown = [item.name for item in manifest.inputs if item.name not in INPUT_NAMES]
    if unknown or not manifest.inputs:
        raise Broken(f"{path}: expected inputs out of {', '.join(INPUT_NAMES)}, got {', '.join(unknown) or 'none'}")
    if not manifest.outputs or not manifest.golden:
        raise Broken(f"{path}: expected outputs and golden rows, got none")
    if folder.name.isdecimal() and int(folder.name) != manifest.version:
        raise Broken(f"{path}: expected version {int(folder.name)}, got {manifest.version}")
    names = {item.name for item in manifest.inputs}
    for number, row in enumerate(manifest.golden):
        if set(row.inputs) != names:
            raise Broken(f"{path}: golden row {number} has the inputs {sorted(row.inputs)}, expected {sorted(names)}")


def has_current_inputs(manifest: Manifest) -> bool:
    """Whether the model takes columns of the meaning that today's code computes."""
    return manifest.inputs_version == manifest.maps.version == INPUTS_VERSION


def require_current_inputs(manifest: Manifest) -> None:
    """Raise Broken where the model was trained on columns of another meaning than today's code computes."""
    for version in (manifest.inputs_version, manifest.maps.version):
        if version != INPUTS_VERSION:
            raise Broken(
                f"{manifest.name} {manifest.version} was trained on inputs version {version}, this code makes "
                f"{INPUTS_VERSION}: train it again"
            )


def require_schema(manifest: Manifest, digest: str) -> None:
    """Raise Broken where the model was trained under a schema of another digest than the home's base has."""
    if manifest.schema != digest:
        raise Broken(
            f"{manifest.name} {manifest.version or '(new)'} was trained under another meaning of events (schema "
            f"{manifest.schema}, the home's base has {digest}): train it anew with ./martlet train"
        )


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_files(folder: Path) -> list[str]:
    """All files under a folder but the manifest, by path within it (with `/`), in order."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if name != MANIFEST)


def folder_stamp(folder: Path) -> str:
    """A text that changes with the names, sizes and times of a folder's files, the manifest among them: cheap to make."""
    found = []
    for name in [*folder_files(folder), MANIFEST]:
        if (path := folder / name).is_file():
            status = path.stat()
            found.append(f"{name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(found)


def folder_digests(folder: Path) -> dict[str, str]:
    """Digests of all files under a folder but the manifest."""
    return {name: file_digest(folder / name) for name in folder_files(folder)}


def content_id(manifest: Manifest) -> str:
    """Returns a name of what a version holds, whatever its number: of the digests of its files."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(manifest.digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def verify_digests(folder: Path) -> None:
    """Raise Broken, naming the first file that is missing, unlisted or different from the manifest."""
    expected = read_manifest(folder).digests
    if "saved_model.pb" not in expected:
        raise Broken(f"{folder}: the manifest lists no saved_model.pb")
    present = set(folder_files(folder))
    for name in sorted(present ^ set(expected)):
        raise Broken(f"{folder / name} is {'not in the manifest' if name in present else 'missing'}")
    for name, digest in sorted(expected.items()):
        got = file_digest(folder / name)
        if got != digest:
            raise Broken(f"{folder / name} was changed or cut: expected SHA-256 {digest[:12]}…, got {got[:12]}…")
