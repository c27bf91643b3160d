"""`python -m models.registry list|verify|rollback --models DIR`: see versions, check them, take the newest away."""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from features.errors import BadInput, Broken, MartletError
from models.registry import (
    Labels,
    list_models,
    list_versions,
    read_labels,
    read_manifest,
    verify_digests,
    version_folder,
    withdraw,
)

SHOWN_DECISIONS = 10


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def show(models_dir: Path, names: Sequence[str] | None = None) -> None:
    """Print a line for each version, the newest first: when it was made, of how many rows, how good it is, its label; then the
    newest decisions on the model's labels, each with its evidence."""
    for name in list_models(models_dir) if names is None else names:
        labels = read_labels(models_dir, name) or Labels()
        called = {version: f"  {label}" for label, version in labels.named().items()}
        called |= dict.fromkeys(labels.lost, "  lost")
        for version in reversed(list_versions(models_dir, name)):
            try:
                manifest = read_manifest(version_folder(models_dir, name, version))
            except Broken as error:
                print(f"{name} {version}  broken: {error}")
                continue
            made = _utc(manifest.created)
            known = [key for key in ("hr10", "ndcg10", "auc", "gauc") if key in manifest.metrics]
            metrics = "  ".join(f"{key} {manifest.metrics[key]:.4f}" for key in known)
            print(f"{name} {version}  {made}  {manifest.data.rows} rows  {metrics}{called.get(version, '')}")
        for decision in labels.decisions[-SHOWN_DECISIONS:]:
            print(f"{name}  {_utc(decision.ts)}  {decision.text}")


def _verify(models_dir: Path, names: Sequence[str]) -> None:
    for name in names:
        for version in list_versions(models_dir, name):
            verify_digests(version_folder(models_dir, name, version))
            print(f"{name} {version}  whole")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.registry", description=__doc__)
    parser.add_argument("command", choices=("list", "verify", "rollback"))
    parser.add_argument("--models", type=Path, required=True, help="the folder that holds one folder a model")
    parser.add_argument("--model", help="the model; rollback needs it, list and verify take all without it")
    options = parser.parse_args(arguments)
    try:
        if options.command == "rollback":
            if not options.model:
                raise BadInput("--model", "the model to roll back", "nothing")
            now = time.time_ns() // 1_000_000
            print(f"{options.model} is back at version {withdraw(options.models, options.model, now)}")
            return 0
        names = [options.model] if options.model else list_models(options.models)
        (show if options.command == "list" else _verify)(options.models, names)
    except (MartletError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
