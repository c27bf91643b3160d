"""Comparison with other libraries: installs them from requirements/peers.lock into an environment of their own, and runs them."""

import subprocess
import sys
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import numpy as np

from features.base.reader import Base
from features.errors import Unavailable
from features.fold.user import hidden_until
from features.schema.tables import Schema, is_act
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs import runner
from infra.system.repository import REPO
from offline.datasets.dataset import Dataset, open_dataset
from offline.evaluation.peers.exchange import ProtocolRows
from offline.evaluation.protocol import protocol_rows
from offline.evaluation.ranking_metrics import Queries

LOCK = REPO / "requirements" / "peers.lock"
VENV = REPO / ".venv-peers"
INSTALL_TIMEOUT = 1800


def make_peer_lists(home: Home, record: HomeRecord, number: int, print_line: Callable[[str], None]) -> Path:
    """Make the peers' lists for what comes after the home's history; returns their file. Raises MartletError if a peer fails."""
    python = peer_environment(print_line)
    base = Base(home.bases / str(number))
    dataset = open_dataset(runner.dataset_of(home, base), home.data, base.schema)
    rows, lists = home.data / "peers-rows.npz", home.data / "peers-lists.npz"
    protocol(dataset, base.schema, int(base.manifest["history_rows"])).write(rows)
    argv = ["offline.evaluation.peers", "--rows", str(rows), "--out", str(lists)]
    runner.run_module(argv, home.logs / "peers.log", print_line, python)
    return lists


def protocol(dataset: Dataset, schema: Schema, first: int) -> ProtocolRows:
    """Returns all acts, and which of them the protocol queries, in the peers' format."""
    acts: list[tuple[int, ...]] = []
    queries: list[int] = []
    history = 0
    for row in protocol_rows(dataset, schema, first, dataset.rows, Queries()):
        user_id, item_id, kind, _, ts = row.event[:5]
        if not is_act(kind):
            continue
        if row.is_query:
            queries.append(len(acts))
        history += row.number < first
        acts.append((user_id, item_id, row.weight, ts, hidden_until(ts, schema.kind(kind).hide)))
    users, items, weights, times, hidden = np.array(acts, np.int64).reshape(-1, 5).T
    return ProtocolRows(users, items, weights, times, hidden, history, np.array(queries, np.int64))


def peer_environment(print_line: Callable[[str], None]) -> Path:
    """Returns the peers' Python interpreter; installs the lock if needed. Raises Unavailable if that fails."""
    python, stamp = VENV / "bin" / "python", VENV / ".stamp"
    digest = blake2b(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return python
    print_line(f"installing other libraries into {VENV.name} (about 6 GB, once)")
    uv = str(Path(sys.executable).with_name("uv"))
    commands = (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)],
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--no-config",
            "--python",
            str(python),
            "--no-deps",
            "--require-hashes",
            "-r",
            str(LOCK),
        ],
    )
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, cwd=REPO)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{VENV.name} was not installed within {INSTALL_TIMEOUT} s") from error
        if done.returncode:
            raise Unavailable(f"{VENV.name} could not be installed: {done.stderr.strip()[-2000:]}")
    stamp.write_text(digest)
    return python
