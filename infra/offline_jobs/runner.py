"""The offline steps of a home: each runs as a process of its own (`step_process`), so that Spark's and TensorFlow's memory is
freed when it ends."""

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from features.base.embedding_files import META
from features.base.reader import Base, Offsets
from features.errors import BadInput, Broken
from features.inputs.input_maps import INPUTS_VERSION
from infra.home.paths import Home, read_json
from infra.home.record import HomeRecord
from infra.home.timings import read_timings
from infra.offline_jobs.base_folders import log_folder, ranking_lists_folder, remove_learned, samples_folder
from infra.offline_jobs.forgotten import note_forgotten
from infra.offline_jobs.scratch import used_alone
from infra.offline_jobs.step_process import StepFailed, run_step, unattended
from infra.services.environment import python_env
from infra.settings.reading import value_of
from infra.system import packages
from infra.system.processes import Attend
from models.training.publish import REFUSED
from offline.base.forgotten_users import forgotten_of
from offline.datasets.dataset_names import LISTS, SHOWN
from streaming.settings import JobSettings

PREPARE_TIMEOUT = 4 * 3600
TRAIN_TIMEOUT = 4 * 3600
COMPILE_TIMEOUT = 600
COMPILE_NICE = 5
"""That of compilers, which a first list and the job wait for: below Spark's, not so low that a busy machine never runs them."""


def prepare(
    home: Home,
    record: HomeRecord,
    number: int,
    print_line: Callable[[str], None],
    master: str | None = None,
    part: Literal["all", "base", "training-data"] = "all",
    attend: Attend = unattended,
    nice: int | None = None,
) -> None:
    """Spark: make the base of a data set and its training data, or one of these (of the latter only what is missing, or is of
    inputs that this code no longer makes, or of users who are forgotten since). nice: its niceness, None: as the home's other
    steps."""
    if record.base_number is not None:
        note_forgotten(home, print_line)
    dataset, history = record.dataset, record.history
    if part == "training-data":
        base = Base(home.bases / str(number))
        for folder in (samples_folder(home, number), ranking_lists_folder(home, number)):
            if folder.exists() and not is_current(home, folder, base):
                shutil.rmtree(folder)
        dataset, history = dataset_of(home, base), float(base.manifest["history"])
    argv = ["offline.prepare", "--dataset", dataset, "--data-dir", str(home.data), "--history", str(history)]
    argv += ["--salt", record.salt_of_new_base(), "--partitions", str(record.partitions)]
    if home.schema_file.exists() and part != "training-data":  # that is made by the base's own schema
        argv += ["--schema", str(home.schema_file)]
    argv += ["--out", str(home.bases / str(number)), "--samples", str(samples_folder(home, number))]
    argv += ["--asks", str(ranking_lists_folder(home, number)), "--part", part]
    _run_spark(home, argv, print_line, master, attend, nice)


def dataset_of(home: Home, base: Base) -> str:
    """Returns the data set that a base was made of, as the home keeps it."""
    return str(home.data / base.manifest["dataset"])


def prepare_from_log(
    home: Home,
    previous: Base,
    settings: JobSettings,
    until: Offsets,
    out: Path,
    print_line: Callable[[str], None],
    master: str | None = None,
    learn: bool = False,
    attend: Attend = unattended,
) -> None:
    """Spark: make the base `out` from the base `previous` and the log since, up to the offsets `until`. Where the home's clock is
    wall time, or with `learn`, what it has seen is kept as a data set, too, to learn from; else what comes after a data set's
    history stays for evaluation."""
    argv = ["offline.base.from_log", "--previous", str(previous.folder), "--engines", str(home.engines_file)]
    argv += ["--until", json.dumps(until), *clock_arguments(settings), "--out", str(out)]
    if learn or previous.manifest.get("clock") == "wall":
        argv += ["--learn", str(log_folder(home, int(out.name)))]
    _run_spark(home, argv, print_line, master, attend)


def clock_arguments(settings: JobSettings) -> list[str]:
    """How a step that reads the log is told the home's clock."""
    since = [] if settings.horizon_since is None else ["--horizon-since", str(settings.horizon_since)]
    return ["--horizon", str(settings.horizon), *since]


def prepare_learned(
    home: Home,
    record: HomeRecord,
    number: int,
    print_line: Callable[[str], None],
    master: str | None = None,
    attend: Attend = unattended,
) -> None:
    """Spark: make training data of a base of the log that has rows of its own; of another there is some already. What earlier
    bases of the log had is removed, but for what the base in use and those to come go back to."""
    if Base(home.bases / str(number)).data_base != number:
        return
    prepare(home, record, number, print_line, master, "training-data", attend)
    remove_learned(home, number)


def _run_spark(
    home: Home,
    argv: list[str],
    print_line: Callable[[str], None],
    master: str | None,
    attend: Attend = unattended,
    nice: int | None = None,
) -> None:
    nice = read_timings(home).nice if nice is None else nice
    env = python_env(spark_environment())
    master = value_of(home, "spark.master", master)
    more, log = ["--master", master] if master else [], home.logs / "spark.log"
    run_step(argv + more, log, PREPARE_TIMEOUT, print_line, env, attend=attend, nice=nice)


def spark_environment() -> dict[str, str]:
    """Returns what Spark needs in the environment: a Java that has what it asks for."""
    return {"JAVA_HOME": str(packages.spark_java_home())}


def run_module(
    argv: list[str],
    log: Path,
    print_line: Callable[[str], None],
    python: Path = Path(sys.executable),
    more: Mapping[str, str] = MappingProxyType({}),
    attend: Attend = unattended,
) -> None:
    """Run a module of offline or models; `more`: of its environment, such as `spark_environment`. Raises MartletError if it
    fails."""
    run_step(argv, log, TRAIN_TIMEOUT, print_line, python_env({"TF_CPP_MIN_LOG_LEVEL": "2", **more}), python, attend)


def compile_recall(home: Home, print_line: Callable[[str], None], attend: Attend = unattended) -> None:
    """Compile what recall computes with, once for a machine and these sources. Raises MartletError if it fails."""
    _compile("online.recall.compile_recall", home.logs / "recall.log", print_line, attend)


def compile_kernel(home: Home, print_line: Callable[[str], None], attend: Attend = unattended) -> None:
    """Compile the fold's kernel, once for a machine and these sources. Raises MartletError if it fails."""
    _compile("features.kernel.compile_kernel", home.logs / "kernel.log", print_line, attend)


def _compile(module: str, log: Path, print_line: Callable[[str], None], attend: Attend) -> None:
    run_step([module], log, COMPILE_TIMEOUT, print_line, python_env({}), attend=attend, nice=COMPILE_NICE)


def embeddings_folder(home: Home, number: int) -> Path | None:
    """Returns the folder of the newest embeddings of a base; None if there are none."""
    for version in reversed(_embeddings_versions(home)):
        folder = home.embeddings / str(version)
        if (read_json(folder / META) or {}).get("base") == number:
            return folder
    return None


def _embeddings_versions(home: Home) -> list[int]:
    if not home.embeddings.is_dir():
        return []
    return sorted(int(path.name) for path in home.embeddings.iterdir() if path.name.isdecimal())


def embed(
    home: Home,
    base: int,
    print_line: Callable[[str], None],
    master: str | None = None,
    attend: Attend = unattended,
) -> Path:
    """Spark: make embeddings of the history that a base goes back to, as the next version; returns their folder. The two newest
    versions are retained: the API goes on with the previous one should this one be bad."""
    note_forgotten(home, print_line)
    number = Base(home.bases / str(base)).data_base
    versions = _embeddings_versions(home)
    out = home.embeddings / str(max(versions, default=0) + 1)
    made_of = dataset_of(home, Base(home.bases / str(number)))
    argv = ["offline.embeddings", "--dataset", made_of, "--data-dir", str(home.data)]
    argv += ["--base", str(home.bases / str(number)), "--out", str(out)]
    _run_spark(home, argv, print_line, master, attend)
    for old in versions[:-1]:
        shutil.rmtree(home.embeddings / str(old), ignore_errors=True)
    return out


def make_training_data_current(
    home: Home, record: HomeRecord, number: int, print_line: Callable[[str], None], attend: Attend = unattended
) -> None:
    """Spark: make training data of what a base goes back to where there is none that may be learned from: it has users who are
    forgotten since, or is of other inputs. Raises BadInput for a base without events."""
    base = Base(home.bases / str(number))
    if not base.user_count():
        raise BadInput(
            "train",
            "events to learn from: once some have come, ./martlet features --from-log takes them in",
            f"base {number}, which holds none",
        )
    note_forgotten(home, print_line)
    if not has_training_data(home, number):
        prepare(home, record, base.data_base, print_line, part="training-data", attend=attend)


def has_training_data(home: Home, number: int) -> bool:
    """Returns whether the training data of the data set that a base goes back to is complete."""
    base = Base(home.bases / str(number))
    folders = (samples_folder(home, base.data_base), ranking_lists_folder(home, base.data_base))
    return all(is_current(home, folder, base) for folder in folders)


def is_current(home: Home, folder: Path, base: Base) -> bool:
    """Returns whether a folder is there and holds training data of the inputs that this code makes, and nothing of users who are
    forgotten. base: one that goes back to its data set."""
    from features.inputs.signals import SIGNAL_COLUMNS  # beside all that computes them

    meta = read_json(folder / "meta.json") or {}
    signals = len(SIGNAL_COLUMNS) if folder.name.startswith(LISTS) else None  # rows have none
    if (meta.get("inputs_version"), meta.get("signals")) != (INPUTS_VERSION, signals):
        return False
    return bool(meta.get("forgotten", "") == forgotten_of(Path(dataset_of(home, base)), base.schema))


def train(
    home: Home,
    number: int,
    names: list[str],
    print_line: Callable[[str], None],
    attend: Attend = unattended,
    seed: int | None = None,
) -> None:
    """Keras: train models on the samples of a base (of one made from the log: those of its original data set) and publish
    them."""
    made_of = Base(home.bases / str(number)).data_base
    samples, ranking_lists = samples_folder(home, made_of), ranking_lists_folder(home, made_of)
    more = [] if seed is None else ["--seed", str(seed)]
    _train(home, number, samples, ranking_lists, names, more, print_line, attend)


def train_on(
    home: Home,
    number: int,
    names: list[str],
    version: int | None,
    print_line: Callable[[str], None],
    master: str | None = None,
) -> None:
    """Spark: make training data from impressions (topic `samples`); Keras: continue training on them, from the newest version of
    each model or a given one, and publish. Raises Unavailable while another process does so."""
    made_of = Base(home.bases / str(number)).data_base
    out = home.data / SHOWN
    with used_alone(out, home.run / f"{SHOWN}.lock"):
        shutil.rmtree(out, ignore_errors=True)
        argv = ["offline.training_data.from_impressions", "--base", str(home.bases / str(number))]
        argv += ["--engines", str(home.engines_file), "--out", str(out)]
        argv += ["--samples", str(samples_folder(home, made_of)), "--asks", str(ranking_lists_folder(home, made_of))]
        _run_spark(home, argv, print_line, master)
        more = ["--go-on", *([str(version)] if version else [])]
        _train(home, number, out / "samples", out / "asks", names, more, print_line)


def _train(
    home: Home,
    number: int,
    samples: Path,
    ranking_lists: Path,
    names: list[str],
    more: list[str],
    print_line: Callable[[str], None],
    attend: Attend = unattended,
) -> None:
    argv = ["models.training", "--samples", str(samples), "--base", str(home.bases / str(number))]
    argv += ["--asks", str(ranking_lists), "--models", str(home.models)]
    for name in names:
        argv += ["--model", name]
    argv += more
    env = python_env({"TF_CPP_MIN_LOG_LEVEL": "2"})
    nice = read_timings(home).nice
    run_step(argv, home.logs / "training.log", TRAIN_TIMEOUT, print_line, env, attend=attend, nice=nice)


def publish(
    home: Home,
    folder: Path,
    name: str,
    force: bool,
    print_line: Callable[[str], None],
    attend: Attend = unattended,
) -> None:
    """Check an exported version, also by the schema of the home's base where it has one, and publish it as the next one. Raises
    Broken where the gate refuses it, MartletError where it can't be published for another reason."""
    argv = ["models.training.publish", "--folder", str(folder), "--models", str(home.models), "--model", name]
    number = HomeRecord(home).base_number
    argv += [] if number is None else ["--base", str(home.bases / str(number))]
    argv += ["--force"] if force else []
    try:
        run_module(argv, home.logs / "training.log", print_line, attend=attend)
    except StepFailed as error:
        if error.code == REFUSED:
            raise Broken(str(error)) from error
        raise
