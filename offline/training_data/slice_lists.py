"""Ranking lists of one slice of the topic `samples`, and what users did lately: what the learner learns next, without Spark,
since it is little.

python -m offline.training_data.slice_lists --base BASES_DIR/NUMBER --engines FILE --samples SAMPLES_DIR --version FOLDER
    --spans '{"0": [start, end, floor], …}' --since MS --attribution S --horizon MS [--horizon-since MS]
    --out DIR

<out>/asks/part-0.parquet       as `offline.training_data.ranking_lists` lays it out
      sequences/part-0.parquet  as that lays it out, of `offline.training_data.newest_acts`; none where nobody did anything
      maps.json                 those of the version whose weights go on
      meta.json                 with what came of the slice's samples, `counts`, and what was left out: lists, `left_out`, and
                                acts, `acts_left_out`

Of a partition the samples from `start` to before `end` count that were closed no earlier than `floor`, ms: those before it have
been learned from, and come again where the job folds the log anew. So many likes of one user count, and no more.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from features.base.reader import Base
from features.clock import Clock
from features.contracts.samples import Sample, SampleReference, shown_since
from features.durable import atomic_folder
from features.engines.shared_engines import read_engines
from features.errors import BadInput
from features.ids import OuterId
from features.inputs.input_maps import INPUTS_VERSION, InputMaps
from features.inputs.model_inputs import layout
from features.inputs.signals import SIGNAL_COLUMNS
from features.keys import SAMPLES, SERVED, SHOWN
from features.schema.tables import Schema
from features.types import Millis, UserId
from models.registry import read_manifest, require_current_inputs, require_schema
from offline.base.forgotten_log import take_forgotten
from offline.base.kafka_log import KafkaLog, RetainedLog, Span
from offline.console import run, step
from offline.settings import add_clock_arguments, clock_of
from offline.training_data.file_names import MAPS, META
from offline.training_data.from_impressions import lessons_of, unit_of
from offline.training_data.logged_lists import FORGOTTEN, Spans, logged_samples
from offline.training_data.newest_acts import Act, Sequences, newest_acts, sequences_of
from offline.training_data.ranking_lists import RANKING_LISTS, SEQUENCES

MAX_WEIGHT: Final = 20.0
"""What the lists of one user may weigh in a slice, a list of mean weight being 1: who likes everything is one user."""
REPLAYED: Final = 2_000
"""Lists of slices before that come again, about: they hold what was learned of them, and measure what is learned now."""
LEARNED: Final = "learned before"
"""Verdict on a sample that comes again, or is of before the time up to which the weights have learned from elsewhere."""
SEQ, USER, IMPORTANCE = (RANKING_LISTS.names.index(name) for name in ("seq", "user_id", "importance"))
SliceSpans = Mapping[int, tuple[int, int, Millis]]
"""Partition → (start, end, floor)."""


class UserBound:
    """Lets the lists of a user pass until they weigh MAX_WEIGHT. One that weighs more by itself weighs as much: what is rare and
    counts a lot teaches, too. left_out: lists that did not pass."""

    def __init__(self) -> None:
        self.left_out = 0
        self._weights: defaultdict[UserId, float] = defaultdict(float)

    def weight(self, user_id: UserId, importance: float) -> float:
        """What a list weighs; 0 for one that does not pass."""
        weight = min(importance, MAX_WEIGHT)
        if self._weights[user_id] + weight > MAX_WEIGHT:
            self.left_out += 1
            return 0.0
        self._weights[user_id] += weight
        return weight

    @property
    def users(self) -> int:
        """Users of whom a list has passed."""
        return sum(weight > 0 for weight in self._weights.values())


def new_samples(
    log: RetainedLog, spans: Spans, floor: Millis, since: Millis, forgotten: Mapping[OuterId, Millis]
) -> Iterator[Sample | SampleReference | str]:
    """The samples of a partition with their lists, LEARNED in place of those that come again, FORGOTTEN of those of users who are
    forgotten since."""
    for sample in logged_samples(log, spans, lambda each: bool(each.actions) and each.closed_ts >= floor):
        if isinstance(sample, str):
            yield sample
        elif sample.closed_ts < floor or (isinstance(sample, Sample) and sample.served.at <= since):
            yield LEARNED
        elif isinstance(sample, Sample) and sample.served.ts <= forgotten.get(sample.user_id, -1):
            yield FORGOTTEN
        else:
            yield sample


def slice_lists(
    samples: Iterable[Sample | SampleReference | str], schema: Schema, columns: str, mean: float
) -> tuple[list[tuple[Any, ...]], Counter[str], UserBound]:
    """(rows as RANKING_LISTS, counts of samples by what came of them, the bound with what it left out)."""
    rows: list[tuple[Any, ...]] = []
    counts: Counter[str] = Counter()
    bound = UserBound()
    for _, ranking_list, verdict in lessons_of(samples, schema, columns, mean):
        if verdict is not None:
            counts[verdict] += 1
        elif ranking_list is not None and (weight := bound.weight(ranking_list[USER], ranking_list[IMPORTANCE])):
            rows.append((*ranking_list[:IMPORTANCE], weight, *ranking_list[IMPORTANCE + 1 :]))
    return rows, counts, bound


def write_slice(
    rows: Sequence[tuple[Any, ...]],
    sequences: Sequences,
    maps: InputMaps,
    schema: Schema,
    counts: Mapping[str, int],
    bound: UserBound,
    out: Path,
) -> None:
    """Write the folder, whole or not at all."""
    with atomic_folder(out) as staging:
        _write_table(rows, RANKING_LISTS, staging / "asks")
        if sequences.rows:
            _write_table(sequences.rows, SEQUENCES, staging / "sequences")
        (staging / MAPS).write_bytes(msgspec.json.encode(maps))
        meta = {
            "dataset": "",
            "first": 0,
            "shown": True,
            "schema": schema.digest,
            "inputs_version": INPUTS_VERSION,
            "layout": layout(maps.vocabulary, schema.digest),
            "signals": len(SIGNAL_COLUMNS),
            "lists": len(rows),
            "users": bound.users,
            "left_out": bound.left_out,
            "acts_left_out": sequences.left_out,
            "counts": dict(counts),
        }
        (staging / META).write_text(json.dumps(meta, indent=1) + "\n")


def _write_table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema, folder: Path) -> None:
    folder.mkdir()
    named = [dict(zip(schema.names, row, strict=True)) for row in rows]
    pq.write_table(pa.Table.from_pylist(named, schema), folder / "part-0.parquet")


def _acts(base: Base, log: KafkaLog, clock: Clock, until: Millis, forgotten: Mapping[UserId, Millis]) -> Iterator[Act]:
    acts = newest_acts(base.admission, lambda item_id: base.catalogue_item(item_id) is not None, log, clock, until)
    return (act for act in acts if act.ts > forgotten.get(act.user_id, -1))


class NewestClosed:
    """Notes when the newest sample of each partition was closed, ms."""

    def __init__(self) -> None:
        self._newest: dict[int, Millis] = {}

    def noting(
        self, partition: int, samples: Iterable[Sample | SampleReference | str]
    ) -> Iterator[Sample | SampleReference | str]:
        """Yields the samples of a partition."""
        for sample in samples:
            if not isinstance(sample, str):
                self._newest[partition] = max(self._newest.get(partition, 0), sample.closed_ts)
            yield sample

    def in_all(self, spans: SliceSpans, ends: Mapping[int, int], newest: Millis) -> Millis:
        """Up to when the lists of all partitions are in the slice or in one before. ends: of the partitions now; newest: when the
        slice's newest list was closed. One that was not read to its end holds the others up: its lists are in a slice to come."""
        behind = (self._newest.get(number, floor) for number, (_, end, floor) in spans.items() if end < ends[number])
        return min([newest, *behind])


def read_spans(text: str) -> SliceSpans:
    """Raises BadInput for what is no SliceSpans as JSON."""
    try:
        return msgspec.json.decode(text, type=dict[int, tuple[int, int, int]])
    except msgspec.DecodeError as error:
        raise BadInput("--spans", '{"0": [start, end, floor], …}', text[:200]) from error


def held_spans(spans: SliceSpans, log: Iterable[Span]) -> tuple[SliceSpans, int]:
    """Returns the spans as far as the log (its own spans by partition) still has them, and how many records are missing: a slice
    may wait for longer than the broker retains what it counted."""
    first = {span.partition: span.start for span in log}
    held = {
        number: (min(max(start, first.get(number, start)), end), end, floor)
        for number, (start, end, floor) in spans.items()
    }
    return held, sum(held[number][0] - spans[number][0] for number in spans)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m offline.training_data.slice_lists",
        description="Make ranking lists of a slice of what was shown.",
    )
    parser.add_argument("--base", type=Path, required=True, help="the home's base, whose schema says what acts mean")
    parser.add_argument("--engines", type=Path, required=True, help="where Kafka is: run/engines.json of the home")
    parser.add_argument("--data-dir", type=Path, required=True, help="where the home notes who is forgotten")
    parser.add_argument("--samples", type=Path, required=True, help="samples by whose mean weight lists weigh")
    parser.add_argument("--version", type=Path, required=True, help="the version's folder whose weights go on")
    parser.add_argument("--spans", required=True, help="start, end and floor by partition, as JSON")
    parser.add_argument("--since", type=int, default=-1, help="lists up to this time (ms) are left out")
    parser.add_argument(
        "--attribution", type=int, required=True, help="how long a shown list waits for what is done about it, s"
    )
    add_clock_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    given = parser.parse_args(argv)

    def make() -> None:
        log, base, manifest = (
            KafkaLog(read_engines(given.engines).kafka),
            Base(given.base),
            read_manifest(given.version),
        )
        schema = base.schema
        require_schema(manifest, schema.digest)
        require_current_inputs(manifest)
        spans, missing = held_spans(read_spans(given.spans), log.spans(SAMPLES))
        forgotten = take_forgotten(given.data_dir, log)
        shown, served = log.spans(SHOWN), log.spans(SERVED)
        newest, users = NewestClosed(), dict(forgotten.users)
        samples = (
            sample
            for number, (start, end, floor) in sorted(spans.items())
            for sample in newest.noting(
                number,
                new_samples(
                    log,
                    Spans(Span(SAMPLES, number, start, end), shown[number], served[number]),
                    floor,
                    given.since,
                    users,
                ),
            )
        )
        columns = layout(manifest.maps.vocabulary, schema.digest)
        with step("slice") as this:
            unit = unit_of(given.samples, schema)
            rows, counts, bound = slice_lists(samples, schema, columns, unit)
            clock = clock_of(given)
            acts: Iterable[Act] = ()
            if rows:
                ends = {span.partition: span.end for span in log.spans(SAMPLES)}
                closed = newest.in_all(spans, ends, max(row[SEQ] for row in rows))
                until = forgotten.until(schema.ids)
                acts = _acts(base, log, clock, shown_since(closed, given.attribution), until)
            sequences = sequences_of(acts, schema, unit)
            write_slice(rows, sequences, manifest.maps, schema, counts, bound, given.out)
            texts = [f"{count} {name}" for name, count in sorted(counts.items())]
            lists = f"{len(rows)} lists of {bound.users} users"
            if missing:
                texts.append(f"{missing} records that the log has no more")
            of_users = f"acts of {len(sequences.rows)} users, {sequences.left_out} left out"
            this.note = ", ".join([lists, f"{bound.left_out} left out", of_users, *texts])

    return run(make)


if __name__ == "__main__":
    sys.exit(main())
