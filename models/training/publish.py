"""`python -m models.training.publish`: hold a SavedModel with its manifest to the gate, and publish it as the next version."""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from features.base.reader import Base
from features.errors import BadInput, Broken, MartletError
from models.registry import MANIFEST, staged_copy, verify_digests
from models.training.runtime import prepare

REFUSED: Final = 4
"""The exit code of a version that the gate refuses, and would refuse again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: REFUSED where the gate refuses the version, 1 for any other failure. Either is one
    line on standard error with the reason."""
    parser = argparse.ArgumentParser(prog="python -m models.training.publish", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="a version's folder, as training exports it; copied")
    parser.add_argument("--models", type=Path, required=True, help="folder that holds one folder a model")
    parser.add_argument("--model", required=True, help="the name to publish it under")
    parser.add_argument("--base", type=Path, help="the home's base: a version trained under another schema is refused")
    parser.add_argument("--force", action="store_true", help="publish even if worse than the live version")
    given = parser.parse_args(arguments)
    staged = None
    try:
        if not (given.folder / MANIFEST).is_file():
            raise BadInput("--folder", f"a folder with saved_model.pb and {MANIFEST}", str(given.folder))
        verify_digests(given.folder)  # before TensorFlow is imported: what is not whole should not cost seconds
        prepare()
        from models.training.pipeline import gate_and_publish

        staged = staged_copy(given.folder, given.models, given.model)
        schema = None if given.base is None else Base(given.base).schema.digest
        version = gate_and_publish(staged, given.models, given.model, given.force, schema)
    except (MartletError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED if isinstance(error, Broken) else 1
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)
    print(f"{given.model} version {version} published")
    return 0


if __name__ == "__main__":
    sys.exit(main())
