"""Settings of the offline commands, and their arguments."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from features.clock import Clock
from features.errors import BadInput
from features.keys import DEFAULT_PARTITIONS
from features.schema.tables import Schema, preset_schema, read_schema
from offline.datasets.dataset import DEFAULT, KNOWN


@dataclass(frozen=True)
class BaseSettings:
    """A base to make.

    dataset   a known name or a folder; data_dir keeps downloads and normalised data sets
    history   share of the rows, from the first, that goes into the base
    out       the base's folder, named by its number
    schema    file that says what the events mean; None: the preset for films
    salt      the home's, for ids that are strings (hexadecimal)
    master    Spark's master; None is all cores of this machine
    partitions of each topic of users in the home's log
    """

    dataset: str
    data_dir: Path
    history: float
    out: Path
    schema: Path | None = None
    master: str | None = None
    salt: str = ""
    partitions: int = DEFAULT_PARTITIONS

    def read_schema(self) -> Schema:
        """The schema of the file. Raises BadInput for one that can't be read, or that says what it may not."""
        if self.schema is None:
            return preset_schema().salted(self.salt)
        try:
            return read_schema(self.schema.read_text(encoding="utf-8"), str(self.schema)).salted(self.salt)
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput("--schema", "a file", f"{self.schema} ({error})") from error


@dataclass(frozen=True)
class SampleSettings:
    """Samples to make.

    negatives      sampled negatives for each positive, from 0 to 50
    seed           of all drawing
    max_positives  a longer history is thinned evenly to about as many positives
    """

    negatives: int = 4
    seed: int = 7
    max_positives: int = 200_000


@dataclass(frozen=True)
class RankingListSettings:
    """Ranking lists to make.

    limit       of lists, the newest ones
    candidates  of each list, at most
    """

    limit: int = 30_000
    candidates: int = 200


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", default=DEFAULT, help=f"a folder, or one of {', '.join(KNOWN)} (%(default)s)")
    parser.add_argument("--data-dir", type=Path, required=True, help="keeps downloads and normalised data sets")
    parser.add_argument("--master", default=None, help="Spark's master (local[*])")


def add_clock_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--horizon", type=int, required=True, help="the home's clock at --horizon-since, ms")
    parser.add_argument(
        "--horizon-since", type=int, default=None, help="wall time, ms; without it the clock is wall time"
    )


def clock_of(given: argparse.Namespace) -> Clock:
    """The clock that the arguments of `add_clock_arguments` say."""
    return Clock(given.horizon, given.horizon_since)


def add_base_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_arguments(parser)
    parser.add_argument("--history", type=float, default=0.8, help="share of the rows that is history (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the base to make: BASES_DIR/NUMBER")
    parser.add_argument("--schema", type=Path, default=None, help="what the events mean (the preset for films)")
    parser.add_argument("--salt", default="", help="keys the hash of ids that are strings (hexadecimal)")
    parser.add_argument("--partitions", type=int, default=DEFAULT_PARTITIONS, help="of the home's log (%(default)s)")


def base_settings(given: argparse.Namespace) -> BaseSettings:
    return BaseSettings(
        given.dataset,
        given.data_dir,
        given.history,
        given.out,
        given.schema,
        given.master,
        given.salt,
        given.partitions,
    )


def add_sample_arguments(parser: argparse.ArgumentParser) -> None:
    default = SampleSettings()
    parser.add_argument(
        "--negatives", type=int, default=default.negatives, help="drawn for each positive (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=default.seed, help="of all drawing (%(default)s)")
    parser.add_argument("--max-positives", type=int, default=default.max_positives, help="thin out above (%(default)s)")


def sample_settings(given: argparse.Namespace) -> SampleSettings:
    return SampleSettings(given.negatives, given.seed, given.max_positives)


def add_ranking_list_arguments(parser: argparse.ArgumentParser) -> None:
    default = RankingListSettings()
    parser.add_argument(
        "--most-asks", dest="max_lists", type=int, default=default.limit, help="the newest ones (%(default)s)"
    )
    parser.add_argument(
        "--candidates", type=int, default=default.candidates, help="at most so many an ask (%(default)s)"
    )


def ranking_list_settings(given: argparse.Namespace) -> RankingListSettings:
    """Raises BadInput for a number that can't be."""
    if given.max_lists < 1:
        raise BadInput("--most-asks", "at least 1", str(given.max_lists))
    if given.candidates < 2:
        raise BadInput("--candidates", "at least 2", str(given.candidates))
    return RankingListSettings(given.max_lists, given.candidates)
