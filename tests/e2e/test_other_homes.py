"""Homes that are not the default: state on disk, a folder as data set, a model server of one's own; and the long commands."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from infra.services.environment import python_env
from infra.system.processes import free_ports
from tests.home import Martlet, checkpoints, run_martlet, running, until
from tests.ledger import verify
from tests.patience import patience
from tests.seed import HISTORY, seed

pytestmark = [pytest.mark.soak, pytest.mark.timeout(patience(2700)), pytest.mark.home]

USERS, ITEMS, ACTS = 300, 120, 40


def write_dataset(folder: Path) -> Path:
    """ratings.csv and movies.csv of two worlds: even users like even items, odd ones odd items."""
    folder.mkdir()
    ratings = ["userId,movieId,rating,timestamp"]
    for act in range(ACTS):
        for user in range(1, USERS + 1):
            item = 1 + (user * 7 + act * 13) % ITEMS
            ratings.append(
                f"{user},{item},{5 if (user + item) % 2 == 0 else 2},{1_000_000_000 + act * 40_000 + user * 60}"
            )
    (folder / "ratings.csv").write_text("\n".join(ratings) + "\n")
    movies = [
        f"{item},Film {item} ({1970 + item % 50}),{'Comedy|Drama' if item % 2 else 'War'}"
        for item in range(1, ITEMS + 1)
    ]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]) + "\n")
    return folder


@pytest.fixture(scope="module")
def foldered(tmp_path_factory: pytest.TempPathFactory, seeds: Path) -> Iterator[Martlet]:
    """A home of a folder of ratings, in which shown lists are closed after 5 s; its scratch files lie in a folder of its own."""
    base = tmp_path_factory.mktemp("foldered")
    seed(HISTORY, seeds)  # another home's, made before: the trainings of a seed are none of this home's
    with pytest.MonkeyPatch.context() as patch:
        (base / "scratch").mkdir()
        patch.setenv("TMPDIR", str(base / "scratch"))
        data = write_dataset(base / "ratings")
        with running(base / "home", "--dataset", str(data), "--attribution", "5") as home:
            yield home
    assert list((base / "scratch").iterdir()) == [], "no scratch file is left"


def test_a_folder_is_a_data_set(foldered: Martlet) -> None:
    record = json.loads((foldered.home / "home.json").read_text())
    assert Path(record["dataset"]).name == "ratings"
    answer = foldered.recommend(6)
    assert answer["degraded"] == []
    assert answer["items"][0]["title"].startswith("Film ")
    done = foldered.command("replay", "--speed", "max")
    assert done.returncode == 0, done.stderr
    assert verify(foldered)["applied"] >= USERS * ACTS // 5


def test_training_goes_on_from_what_was_shown(foldered: Martlet) -> None:
    for user in range(1, USERS + 1):
        shown = foldered.recommend(user, size=10)
        foldered.post(
            [
                {
                    "type": "like" if (user + item["item_id"]) % 2 == 0 else "dislike",
                    "user_id": user, "item_id": item["item_id"], "request_id": shown["request_id"], "position": rank,
                }
                for rank, item in enumerate(shown["items"])
            ]
        ).raise_for_status()  # fmt: skip

    def samples() -> bool:
        """Lists are closed by their lane's own time, which events move on."""
        foldered.post([{"type": "view", "user_id": user, "item_id": 1} for user in range(1, 30)]).raise_for_status()
        job = foldered.http.get("/v1/ops").json()["job"]
        return bool(job and job["samples"] >= USERS)

    until(samples, 120, "samples of the shown lists")
    versions = {each["name"]: each["version"] for each in foldered.http.get("/v1/models").json()["models"]}
    done = foldered.command("train", "--go-on", "--model", "neuralcf", within=580)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads(
        (foldered.home / "models" / "neuralcf" / str(versions["neuralcf"] + 1) / "manifest.json").read_text()
    )
    assert manifest["version"] == versions["neuralcf"] + 1


def test_evaluate_says_how_good_the_lists_are(foldered: Martlet, tmp_path: Path) -> None:
    done = foldered.command("evaluate", "--model", "neuralcf", "--out", str(tmp_path / "report"), within=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "neuralcf" in done.stdout
    assert any((tmp_path / "report").iterdir())
    constants = foldered.command("evaluate", "--constants", within=600)
    assert constants.returncode == 0, constants.stdout + constants.stderr
    assert "EASE_FADE" in constants.stdout
    recall = foldered.command("evaluate", "--recall", within=600)
    assert recall.returncode == 0, recall.stdout + recall.stderr
    assert "popular" in recall.stdout


def test_state_on_disk_goes_through_a_replay_and_a_restart(tmp_path: Path, seeds: Path) -> None:
    with running(tmp_path / "home", "--state", "rocksdb", seed=seed(HISTORY, seeds)) as home:
        done = home.command("replay", "--speed", "max", "--shuffle", "--duplicate")
        assert done.returncode == 0, done.stderr
        before = verify(home)
        until(lambda: checkpoints(home), 90, "a checkpoint: a job that just began is stopped without a savepoint")
        assert home.command("down", within=240).returncode == 0
        port = home.address.rsplit(":", 1)[1]
        started = home.command("up", "--detach", "--port", port, within=300)
        assert started.returncode == 0, started.stdout + started.stderr
        assert "from its last checkpoint" in started.stdout
        assert json.loads((home.home / "home.json").read_text())["state"] == "rocksdb", "it stays"
        assert verify(home) == before


def is_whole(martlet: Martlet) -> bool:
    return not martlet.recommend(6)["degraded"]


def test_a_model_server_of_ones_own_ranks(tmp_path: Path, seeds: Path) -> None:
    """The home's models, served by a process that `up` knows nothing of, over gRPC and then over REST."""
    home = tmp_path / "home"
    shutil.copytree(seed(HISTORY, seeds), home)
    (home / "run").mkdir(exist_ok=True)
    rest, grpc, port = free_ports(3)
    configs = "".join(
        f'config {{ name: "{folder.name}" base_path: "{folder}" model_platform: "tensorflow" }}\n'
        for folder in sorted((home / "models").iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    )
    (tmp_path / "models.config").write_text(f"model_config_list {{\n{configs}}}\n")
    flags = (f"--model_config_file={tmp_path / 'models.config'}", f"--rest_api_port={rest}", f"--port={grpc}")
    with subprocess.Popen([sys.executable, "-m", "models.server", *flags], env=python_env(), cwd=tmp_path) as server:
        try:
            for address in (f"127.0.0.1:{grpc}", f"http://127.0.0.1:{rest}"):
                with running(home, "--model-server", address) as martlet:
                    assert "model-server" not in martlet.status()["services"]
                    until(partial(is_whole, martlet), 120, "lists by its models")
        finally:
            server.terminate()
            server.wait(30)
    assert run_martlet("up", "--home", str(home), "--port", str(port), "--model-server", "nonsense").returncode == 1
