"""Stores of both kinds, each empty: a folder, and a folder of a bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.storage.bucket_store import BucketStore, S3Access
from infra.storage.file_store import FileStore, FolderStore
from tests.s3_server import BUCKET, s3_server


@pytest.fixture(scope="package")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Access]:
    with s3_server(tmp_path_factory.mktemp("s3")) as access:
        yield access


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, bucket: S3Access) -> FileStore:
    """A store whose name has what a URI must quote."""
    if request.param == "folder":
        return FolderStore(tmp_path / "the store")
    return BucketStore(f"s3://{BUCKET}/{tmp_path.name}", bucket)
