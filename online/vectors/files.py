"""Item vectors on disk: truncated, changed or non-finite files, and those of another width, are refused with a reason."""

import hashlib
import os
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from features.arrays import FloatArray, IntArray
from features.base.embedding_files import IDS_FILE, META, VECTORS_FILE, EmbeddingsMeta
from features.errors import Broken
from features.types import NO_ID

MAX_BYTES: Final = 1 << 30
"""Of one kind's vectors: four million of 64 columns."""
_meta = msgspec.json.Decoder(EmbeddingsMeta)


def read_meta(folder: Path) -> EmbeddingsMeta:
    """Read a version's metadata. Raises Broken, naming the file."""
    path = folder / META
    try:
        return _meta.decode(path.read_bytes())
    except OSError as error:
        raise Broken(f"{path} can't be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{path} does not say what the embeddings are: {error}") from error


def read_ids(folder: Path, digests: Mapping[str, str]) -> IntArray:
    """Ids [n] of the items that have a vector, ascending. digests: SHA-256 by file name. Raises Broken, naming the file and what
    is wrong."""
    path = folder / IDS_FILE
    ids: IntArray = _array(path, digests.get(IDS_FILE), "i8")
    if ids.ndim != 1 or NO_ID in ids or not bool((np.diff(ids) > 0).all()):
        raise Broken(f"{path}: expected item ids, ascending, each once")
    return ids


def read_vectors(folder: Path, ids: IntArray, width: int, digests: Mapping[str, str]) -> FloatArray:
    """Vectors [n, width] of the items [n], all finite. Raises Broken, naming the file and what is wrong."""
    path = folder / VECTORS_FILE
    vectors: FloatArray = _array(path, digests.get(VECTORS_FILE), "f4")
    if vectors.shape != (len(ids), width):
        raise Broken(f"{path}: expected the shape {[len(ids), width]}, got {list(vectors.shape)}")
    strange = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(strange):
        raise Broken(f"{path}: the vector of item {ids[strange[0]]} is not finite ({len(strange)} such)")
    return vectors


def check_vectors(folder: Path, digests: Mapping[str, str]) -> None:
    """Raise Broken unless the file of the vectors is the one that its digest was made of; none of it stays in memory."""
    path = folder / VECTORS_FILE
    try:
        with path.open("rb") as file:
            _check(file, path, digests.get(VECTORS_FILE))
    except OSError as error:
        raise Broken(f"{path} can't be read: {error}") from error


def _array(path: Path, digest: str | None, kind: str) -> Any:
    try:
        with path.open("rb") as file:
            _check(file, path, digest)
            file.seek(0)
            array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Broken(f"{path} can't be read: {error}") from error
    if array.dtype != np.dtype(kind):
        raise Broken(f"{path}: expected numbers of type {np.dtype(kind).name}, got {array.dtype.name}")
    return array


def _check(file: BufferedReader, path: Path, digest: str | None) -> None:
    if (size := os.fstat(file.fileno()).st_size) > MAX_BYTES:
        raise Broken(f"{path}: expected at most {MAX_BYTES >> 20} MB, got {size >> 20}")
    got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != digest:
        raise Broken(f"{path} was changed or cut: expected SHA-256 {str(digest)[:12]}…, got {got[:12]}…")
