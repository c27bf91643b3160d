"""Makes everything anew from the log, while the home runs: a base with all item weights, embeddings, training data, models.

Weights between items, models and embeddings are taken over by the running home; what else the base has by its next start.
"""

from collections.abc import Callable, Sequence

from features.base.reader import MANIFEST, Base
from features.errors import Broken
from infra.home.paths import Home, read_json
from infra.home.record import HomeRecord
from infra.offline_jobs import base_from_log, runner
from infra.offline_jobs.base_folders import log_folder, remove_base
from infra.offline_jobs.disk_room import check_room
from infra.offline_jobs.step_process import unattended
from infra.system.processes import Attend
from models.registry import list_versions, read_manifest, version_folder


def renew(
    home: Home,
    number: int,
    models: Sequence[str],
    print_line: Callable[[str], None],
    attend: Attend = unattended,
) -> str:
    """Make the base `number` of the log, and all that is learned from it; what is there already of an earlier attempt stays.
    Returns what was done, in one line. Raises MartletError where a step fails, or too little room is left."""
    record = HomeRecord(home)
    if (waiting := _waiting(home, record)) is not None:
        return f"nothing to make anew: the next start takes base {waiting}, which is made of the data set"
    check_room(home)
    if not (home.bases / str(number) / MANIFEST).is_file() and not base_from_log.make(
        home, record, number, print_line, learn=True, attend=attend
    ):
        return f"nothing to make anew: the job has folded nothing since base {record.base_number}"
    runner.prepare_learned(home, record, number, print_line, attend=attend)
    next_start = hand_over(home, number)
    if runner.embeddings_folder(home, Base(home.bases / str(number)).data_base) is None:
        runner.embed(home, number, print_line, attend=attend)
    missing = [name for name in models if not _has_learned(home, name, number)]
    if missing:
        runner.train(home, number, missing, print_line, attend)
    made = ", ".join(f"{name} {list_versions(home.models, name)[-1]}" for name in models)
    return f"made anew: base {number} (weights between items now, {next_start}), embeddings, {made}"


def hand_over(home: Home, number: int) -> str:
    """Have the next `up` start from a base of the log, unless somebody has made one of the data set for it, be it meanwhile;
    returns what that start takes, in words."""
    if (waiting := _waiting(home, HomeRecord(home))) is not None:
        return f"the next start takes base {waiting}, which is made of the data set"
    take_for_next_start(home, number)
    return "the rest at the next start"


def is_of_others(home: Home, number: int) -> bool:
    """Whether a base is none that teaches from the log: somebody has made it of the data set meanwhile."""
    manifest = read_json(home.bases / str(number) / MANIFEST)
    return manifest is not None and manifest.get("dataset") != log_folder(home, number).name


def _waiting(home: Home, record: HomeRecord) -> int | None:
    """Returns the base of the data set that somebody has the next start take, which no base of the log may supersede."""
    newest = record.newest_base
    if newest is None or newest == record.base_number:
        return None
    manifest = read_json(home.bases / str(newest) / MANIFEST) or {}
    return None if "previous" in manifest else newest


def discard(home: Home, number: int) -> None:
    """Remove the base `number` that was to be made of the log and is given up, with all that was made of it; unless it is to be
    used, or others have made it."""
    record = HomeRecord(home)
    if number not in (record.base_number, record.newest_base) and not is_of_others(home, number):
        record.give_up(number)
        record.save()
        remove_base(home, number)


def take_for_next_start(home: Home, number: int) -> None:
    """Have the next `up` start from a base; the one that it would have started from, which nothing has used, is removed
    with its training data."""
    record = HomeRecord(home)  # read now: making it took minutes, and others may have changed it
    superseded = record.newest_base
    record.set_next_base(number)
    record.save()
    if superseded is not None and superseded not in (number, record.base_number):
        remove_base(home, superseded)


def _has_learned(home: Home, name: str, number: int) -> bool:
    """Whether the newest version of a model has learned from a base."""
    versions = list_versions(home.models, name)
    return bool(versions) and learned_from(home, name, versions[-1], number)


def learned_from(home: Home, name: str, version: int, number: int) -> bool:
    """Whether a version of a model has learned from a base; what can't be read has not."""
    try:
        return read_manifest(version_folder(home.models, name, version)).data.base == str(number)
    except Broken:
        return False
