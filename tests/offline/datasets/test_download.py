"""Downloads, against a small server of our own."""

import functools
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.errors import Broken, Unavailable
from offline.datasets.dataset import open_dataset
from offline.datasets.download import fetch_archive


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join(5)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def packed(members: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


SMALL = {
    "ml-latest-small/ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n",
    "ml-latest-small/movies.csv": "movieId,title,genres\n1,Toy Story (1995),Adventure\n",
}


def test_a_download_becomes_a_data_set(tmp_path: Path, site: tuple[str, Path]) -> None:
    url, folder = site
    (folder / "ml-latest-small.zip").write_bytes(packed(SMALL))
    fetch_archive("ml-latest-small", tmp_path / "data" / "ml-latest-small", url)
    assert open_dataset("ml-latest-small", tmp_path / "data").rows == 1
    assert not list((tmp_path / "data").rglob("*.part"))


def test_another_file_than_the_published_one(tmp_path: Path, site: tuple[str, Path]) -> None:
    url, folder = site
    (folder / "ml-25m.zip").write_bytes(packed({"ml-25m/ratings.csv": "", "ml-25m/movies.csv": ""}))
    with pytest.raises(Broken, match="GroupLens publishes 6b51fb2759a8657d3bfcbfc42b592ada"):
        fetch_archive("ml-25m", tmp_path / "ml-25m", url)
    (folder / "ml-32m.zip").write_bytes(packed({"ml-32m/ratings.csv": "a\n", "ml-32m/movies.csv": ""}))
    with pytest.raises(Broken, match="has 1 lines, expected 32000205"):
        fetch_archive("ml-32m", tmp_path / "ml-32m", url)
    whole = packed(SMALL)
    (folder / "ml-latest-small.zip").write_bytes(whole.replace(b"964982703", b"964982704"))
    with pytest.raises(Broken, match="CRC"):
        fetch_archive("ml-latest-small", tmp_path / "ml-latest-small", url)
    assert not (tmp_path / "ml-latest-small" / "ratings.csv").exists()


def test_no_network(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"could not download .* pass --dataset FOLDER"):
        fetch_archive("ml-1m", tmp_path / "ml-1m", "http://127.0.0.1:9")
