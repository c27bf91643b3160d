"""Labels of a model's versions: which one ranks, which one is tried, which one ranked before.

    <models>/<name>/labels.json    written whole, by one rename; the API, the model server's configuration and the judge read it

Without the file the newest version ranks that passes the API's check. With it the stable one does; where that is None, the newest
that has not lost.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, Literal

import msgspec

from features.durable import write_whole
from features.errors import BadInput, Broken
from models.registry.disk import locked
from models.registry.manifest import read_manifest, require_current_inputs, require_schema, verify_digests
from models.registry.versions import LOCK, fitting_versions, list_versions, no_older_version, rollback, version_folder

LABELS: Final = "labels.json"
STABLE, CANDIDATE, LAST_GOOD = "stable", "candidate", "last-good"
"""Names of labels, also in TensorFlow Serving's configuration."""
MAX_DECISIONS: Final = 50
"""Decisions that the file holds, the newest; the topic `scores` has those of before."""
MAX_LOST: Final = 200
"""Versions that the file lists as lost, the newest."""

Phase = Literal["shadow", "trial"]


class Decision(msgspec.Struct, frozen=True):
    """A change of labels. ts: wall time, ms; text: one line that says what and on what evidence."""

    ts: int
    text: str


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of one model.

    stable     the version that ranks
    candidate  the version that is tried; phase: ranked beside and not shown, or interleaved with the stable one
    last_good  the version that ranked before, to which the stable one is held, and to which it is rolled back
    proved     whether the stable version was found not to be worse than `last_good`; until then they are compared in more lists
    lost       versions that lost a comparison, the newest ones: none ranks unless it is promoted by hand
    decisions  the newest last
    """

    stable: int | None = None
    candidate: int | None = None
    phase: Phase = "shadow"
    last_good: int | None = None
    proved: bool = True
    lost: tuple[int, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def order(self, versions: list[int]) -> list[int]:
        """The versions that may rank, the preferred one first. Newer ones than the stable one come last: they rank where no other
        can, as after a change of the schema."""
        rest = [each for each in sorted(versions, reverse=True) if each not in self.lost]
        if self.stable is None:
            return rest
        stable = self.stable
        first = [each for each in (stable, self.last_good) if each in versions]
        rest = [each for each in rest if each not in first]
        return first + [each for each in rest if each < stable] + [each for each in rest if each > stable]

    def on_disk(self, versions: Collection[int]) -> "Labels":
        """The labels without those of versions that are not among these."""
        stable, candidate, last_good = (
            each if each in versions else None for each in (self.stable, self.candidate, self.last_good)
        )
        return msgspec.structs.replace(self, stable=stable, candidate=candidate, last_good=last_good)

    def named(self) -> dict[str, int]:
        """Label → version, of those that are given; as TensorFlow Serving's version_labels."""
        found = {STABLE: self.stable, CANDIDATE: self.candidate, LAST_GOOD: self.last_good}
        return {label: version for label, version in found.items() if version is not None}

    def decided(self, ts: int, text: str, **changes: object) -> "Labels":
        """The labels after a decision. ts: wall time, ms."""
        decisions = (*self.decisions, Decision(ts, text))[-MAX_DECISIONS:]
        return msgspec.structs.replace(self, decisions=decisions, **changes)

    def promoted(self, ts: int, text: str, version: int) -> "Labels":
        """The labels once `version` ranks: what ranked until then is the last good one."""
        lost = tuple(each for each in self.lost if each != version)
        candidate = None if self.candidate == version else self.candidate
        before = self.last_good if self.stable in (None, version) else self.stable
        before = None if before == version else before
        return self.decided(
            ts, text, stable=version, last_good=before, proved=before is None, candidate=candidate, lost=lost
        )

    def dropped(self, version: int) -> "Labels":
        """The labels where `version`, which was stable until now, has lost."""
        lost = (*self.lost, version)[-MAX_LOST:]
        return msgspec.structs.replace(self, lost=lost, last_good=None, proved=True)

    def without(self, ts: int, text: str, version: int) -> "Labels":
        """The labels once the candidate `version` has lost."""
        return self.decided(ts, text, candidate=None, lost=(*self.lost, version)[-MAX_LOST:])


_decoder = msgspec.json.Decoder(Labels)


def read_labels(models_dir: Path, name: str) -> Labels | None:
    """The labels of a model, None where it has none. Raises Broken where they can't be read."""
    path = models_dir / name / LABELS
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Broken(f"{path} can't be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"{path}: expected labels of versions, got {error}") from error


def change_labels(models_dir: Path, name: str, change: Callable[[Labels], Labels]) -> Labels:
    """Replace a model's labels by what `change` makes of them, without those of versions that are gone, with the model's lock
    held; returns them. Raises Broken where they can't be read, BadInput where `change` labels a version that is not there."""
    base = models_dir / name
    with locked(base / LOCK):
        before, versions = read_labels(models_dir, name), list_versions(models_dir, name)
        after = change((before or Labels()).on_disk(versions))
        missing = set(after.named().values()) - set(versions)
        if missing:
            raise BadInput("version", f"a version of {name} under {models_dir}", str(min(missing)))
        if after != before:
            write_whole(base / LABELS, msgspec.json.format(msgspec.json.encode(after), indent=1))
    return after


def promote(models_dir: Path, name: str, version: int, ts: int, digest: str | None = None) -> Labels:
    """Have a version rank, whatever it is worth; the judge goes on comparing it. ts: wall time, ms; digest: of the schema that it
    must have been trained under, None for any. Raises BadInput for a version that isn't there, Broken for one that can't rank."""

    def promoted(labels: Labels) -> Labels:
        manifest = read_manifest(version_folder(models_dir, name, version))
        require_current_inputs(manifest)
        if digest is not None:
            require_schema(manifest, digest)
        return labels.promoted(ts, f"{version} ranks from now on: by hand", version)

    return change_labels(models_dir, name, promoted)


def withdraw(models_dir: Path, name: str, ts: int, digest: str | None = None) -> int:
    """Have the version that ranked before rank again; returns it. Where labels say what ranks, or have, only they change; else
    the newest version is taken away (`models.registry.versions.rollback`). digest: of the schema that the home's versions are
    trained under, None for any. Raises BadInput where no other version can rank, Broken where the one that would is not whole:
    then nothing changes."""
    if read_labels(models_dir, name) is None:
        return rollback(models_dir, name, digest)
    ranks = 0

    def withdrawn(now: Labels) -> Labels:
        nonlocal ranks
        present = now.order(fitting_versions(models_dir, name, digest))
        earlier = [each for each in present[1:] if each == now.last_good or each < present[0]]
        if not earlier:
            raise no_older_version(name, len(list_versions(models_dir, name)))
        stable, ranks = present[0], earlier[0]
        verify_digests(version_folder(models_dir, name, ranks))
        text = f"{ranks} ranks in place of {stable}: rolled back by hand"
        if now.stable is None:  # nobody judges: the newest one ranks that has not lost
            return now.decided(ts, text, lost=(*now.lost, stable)[-MAX_LOST:])
        return now.promoted(ts, text, ranks).dropped(stable)

    change_labels(models_dir, name, withdrawn)
    return ranks
