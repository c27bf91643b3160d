"""Homes as a role that runs alone finds them."""

from pathlib import Path

from features.base.reader import MANIFEST
from features.fold.state import FOLD_VERSION
from infra.home.access_file import add_key
from infra.home.paths import Home, read_json, write_json
from infra.home.record import HomeRecord
from tests.online.conftest import write_base


def described_home(folder: Path) -> Home:
    """A home that has been described, and has no base."""
    home = Home(folder).make()
    record = HomeRecord(home)
    record.describe("ml-100k", 0.0)
    record.save()
    return home


def new_home(folder: Path) -> tuple[Home, str]:
    """A home with a base and a caller's key, as `features` and `keys add` make them; and that key."""
    home = described_home(folder)
    record = HomeRecord(home)
    schema = write_base(home.bases / "1").schema
    manifest = read_json(home.bases / "1" / MANIFEST) or {}
    made = {"fold_version": FOLD_VERSION, "schema": schema.digest, "salt": record.salt}
    write_json(home.bases / "1" / MANIFEST, manifest | made)
    record.set_next_base(1)
    record.save()
    return home, add_key(home, "shop", "write", None)
