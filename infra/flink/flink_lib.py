"""The jars of Flink's lib folder: its own, and what the job needs beside them."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from features.durable import atomic_file
from features.errors import BadInput
from infra.flink import java_classes
from infra.system import packages


def added_jars() -> list[Path]:
    """Returns the jars that the job needs in lib beside Flink's own: flink-python, the Kafka connector, its own classes. Raises
    Unavailable where they can't be fetched."""
    return [
        *(packages.flink_home() / "opt").glob("flink-python-*.jar"),
        *packages.jars("connector"),
        java_classes.jar(),
    ]


def link_lib(lib: Path) -> None:
    """Make a lib folder of links to Flink's own jars and the added ones. Listed in pipeline.jars instead, those would be loaded
    anew for every job, and the second job on a TaskManager would fail."""
    lib.mkdir(parents=True, exist_ok=True)
    for link in lib.iterdir():
        link.unlink()
    *lasting, own = added_jars()
    for jar in [*(packages.flink_home() / "lib").glob("*.jar"), *lasting]:
        (lib / jar.name).symlink_to(jar)
    shutil.copy(own, lib)  # which others may remove from its store


S3_PLUGIN: Final = "s3"
"""The group of jars by which Flink enters buckets, and the name of its folder among the plugins."""


def link_plugins(plugins: Path, added: Sequence[str]) -> None:
    """Make a folder of plugins of links to Flink's own, and one for each group of jars that is `added`. Raises Unavailable where
    those can't be fetched."""
    shutil.rmtree(plugins, ignore_errors=True)
    plugins.mkdir(parents=True)
    for plugin in (packages.flink_home() / "plugins").iterdir():
        (plugins / plugin.name).symlink_to(plugin)
    for group in added:
        (plugins / group).mkdir()
        for jar in packages.jars(group):
            (plugins / group / jar.name).symlink_to(jar)


def copy_jars(lib: Path) -> list[str]:
    """Copy the added jars into the lib folder of a cluster of one's own, in place of the job's own of another version; returns
    their names. Raises BadInput where there is no such folder, or it can't be written to."""
    if not lib.is_dir():
        raise BadInput("FOLDER", "a folder that there is, as Flink's lib", str(lib))
    jars = added_jars()
    try:
        _copy(jars, lib)
        for other in java_classes.jars_in(lib):
            if other.name != jars[-1].name:
                other.unlink()
    except OSError as error:
        raise BadInput("FOLDER", "a folder to write to", str(error)) from error
    return [jar.name for jar in jars]


def copy_plugins(plugins: Path) -> list[str]:
    """Copy what a cluster of one's own needs for checkpoints in a bucket into its folder of plugins; returns the names of the
    jars. Raises BadInput where there is no such folder, or it can't be written to, Unavailable where they can't be fetched."""
    if not plugins.is_dir():
        raise BadInput("--plugins", "a folder that there is, as Flink's plugins", str(plugins))
    jars = packages.jars(S3_PLUGIN)
    try:
        (plugins / S3_PLUGIN).mkdir(exist_ok=True)
        _copy(jars, plugins / S3_PLUGIN)
    except OSError as error:
        raise BadInput("--plugins", "a folder to write to", str(error)) from error
    return [jar.name for jar in jars]


def _copy(jars: Sequence[Path], folder: Path) -> None:
    for jar in jars:
        with atomic_file(folder / jar.name) as temporary:
            shutil.copyfile(jar, temporary)
        (folder / jar.name).chmod(0o644)
