"""Evaluation of lists: in memory (`offline.evaluation`), or of a running home over HTTP, as any client would."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from features.base.reader import Base
from features.contracts.events import write_event
from features.engines.kafka_address import KafkaAddress
from features.errors import BadInput, Unavailable
from features.keys import EVENTS
from features.schema.tables import Schema
from infra.home.paths import Home
from infra.home.record import HomeRecord
from infra.offline_jobs import runner
from infra.offline_jobs.base_folders import ranking_lists_folder
from infra.offline_jobs.peers import make_peer_lists
from models.training.row_metrics import TOP
from offline.base.kafka_log import KafkaLog
from offline.datasets.dataset import Dataset, event_of, open_dataset
from offline.evaluation.beyond_accuracy import beyond, item_population
from offline.evaluation.page_metrics import page_results
from offline.evaluation.prequential import QueryLists, stacked
from offline.evaluation.protocol import protocol_rows
from offline.evaluation.ranking_metrics import Queries, as_list
from offline.evaluation.report import page_table, print_side_tables, print_table, report_console, results, write_report
from offline.evaluation.sequence_constants import known_constants
from online.ranking.policy import Learning

TIMEOUT = 10.0
"""Seconds per request."""


def in_memory(
    home: Home,
    number: int,
    names: list[str],
    late: bool,
    peers: bool,
    out: Path,
    print_line: Callable[[str], None],
    renewed: Sequence[Home] = (),
) -> None:
    """Evaluate on what comes after the history, in a process of its own: the table goes to `print_line`, the report into
    `out`. renewed: homes with base 1 of longer and longer histories, and their models."""
    base = Base(home.bases / str(number))
    argv = ["offline.evaluation", "--dataset", runner.dataset_of(home, base), "--data-dir", str(home.data)]
    argv += ["--base", str(base.folder), "--models", str(home.models), "--out", str(out)]
    for name in names:
        argv += ["--model", name]
    embeddings = runner.embeddings_folder(home, base.data_base)
    if embeddings is not None:
        argv += ["--embeddings", str(embeddings)]
    ranking_lists = ranking_lists_folder(home, number)
    argv += ["--asks", str(ranking_lists)] if runner.is_current(home, ranking_lists, base) else []
    for stage in renewed:
        argv += ["--renewed", str(stage.bases / "1"), str(stage.models)]
    argv += ["--positives", str(Learning().positives)] if renewed else []
    if peers:
        argv += ["--peers", str(make_peer_lists(home, HomeRecord(home), number, print_line))]
    runner.run_module(argv + (["--late"] if late else []), home.logs / "evaluation.log", print_line)


def recall(home: Home, number: int, print_line: Callable[[str], None]) -> None:
    """Measure the coverage of the recall channels on what comes after the history; the table goes to `print_line`."""
    base = Base(home.bases / str(number))
    argv = ["offline.evaluation.recall_coverage", "--dataset", runner.dataset_of(home, base)]
    argv += ["--data-dir", str(home.data), "--base", str(base.folder), "--models", str(home.models)]
    embeddings = runner.embeddings_folder(home, base.data_base)
    argv += ["--embeddings", str(embeddings)] if embeddings is not None else []
    runner.run_module(argv, home.logs / "evaluation.log", print_line)


def constants(home: Home, number: int, print_line: Callable[[str], None]) -> None:
    """Compare values of the signals' constants on the end of the history; the table goes to `print_line`."""
    base = Base(home.bases / str(number))
    argv = ["offline.evaluation.signal_constants", "--dataset", runner.dataset_of(home, base)]
    argv += ["--data-dir", str(home.data), "--base", str(base.folder)]
    runner.run_module(argv, home.logs / "evaluation.log", print_line, more=runner.spark_environment())


def training_constants(
    home: Home, number: int, names: Sequence[str], seeds: int, print_line: Callable[[str], None]
) -> None:
    """Compare values of these training constants of sequence models (`offline.evaluation.sequence_constants`) on the ranking
    lists of the history, by so many trainings each; the table goes to `print_line`. Raises as `training_constants_argv` does."""
    runner.run_module(training_constants_argv(home, number, names, seeds), home.logs / "evaluation.log", print_line)


def training_constants_argv(home: Home, number: int, names: Sequence[str], seeds: int) -> list[str]:
    """Returns the module and the arguments that compare values of training constants. Raises BadInput for a name that no constant
    has, and where there are no ranking lists that may be learned from."""
    known = known_constants(names)
    base = Base(home.bases / str(number))
    ranking_lists = ranking_lists_folder(home, base.data_base)
    if not runner.is_current(home, ranking_lists, base):
        raise BadInput(
            "--training-constant", "a home with training data: ./martlet train makes it", "none that is current"
        )
    argv = ["offline.evaluation.sequence_constants", "--asks", str(ranking_lists), "--seeds", str(seeds)]
    for name in known:
        argv += ["--training-constant", name]
    return argv


def over_http(
    home: Home, address: str, kafka: KafkaAddress, base: Base, model: str | None, limit: int | None, out: Path
) -> None:
    """Request a list from a running home, then post the row, row by row; at most `limit` rows.

    Raises BadInput if nothing comes after the history, or the home has events already (it may know what it should predict),
    Unavailable if the home does not answer.
    """
    if events := sum(span.end for span in KafkaLog(kafka, patience=TIMEOUT).spans(EVENTS)):
        raise BadInput("--live", "a home without events: up --home anew", f"{events} events in the log of {home.path}")
    dataset = open_dataset(runner.dataset_of(home, base), home.data, base.schema)
    first = int(base.manifest["history_rows"])
    end = dataset.rows if limit is None else min(dataset.rows, first + limit)
    if first >= end:
        raise BadInput("--live", "a home with rows after its history", f"{first} of {dataset.rows} rows are history")
    console, label = report_console(), f"over HTTP, model {model or 'default'}"
    began = time.monotonic()
    columns = (TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console, transient=True) as progress,
        httpx.Client(base_url=address, timeout=TIMEOUT, trust_env=False) as client,
    ):
        task = progress.add_task("asking", total=end - first)
        try:
            found_lists, degraded = fetch_lists(
                client,
                dataset,
                base.schema,
                first,
                end,
                model,
                label,
                lambda row: progress.update(task, completed=row - first),
            )
        except httpx.HTTPError as error:
            raise Unavailable(f"{address} did not answer as it should: {error}") from error
    queries, lists, page_lists = found_lists
    found, pages = results(queries, lists), page_results(queries, page_lists)
    side_tables = {
        f"pages ({len(page_lists[label])})": page_table(pages),
        "the lists themselves": {label: beyond(lists[label], item_population(dataset, first))},
    }
    print_table(console, label, queries, found)
    print_side_tables(console, side_tables)
    seconds = time.monotonic() - began
    facts = {
        "data set": f"{dataset.name}, rows {first} to {end - 1}",
        "asked": f"{address}, one row after the other, {seconds:.0f} s",
        "lists without all they should have": degraded,
    }
    write_report(out, facts, queries, found, {}, side_tables, pages)
    console.print(f"{seconds:.0f} s, {degraded} lists degraded or late; report: {out / 'report.html'}")


def fetch_lists(
    client: httpx.Client,
    dataset: Dataset,
    schema: Schema,
    first: int,
    end: int,
    model: str | None,
    label: str,
    on_row: Callable[[int], None],
) -> tuple[QueryLists, int]:
    """Returns the queries and lists, by the label of the one method, and how many lists were degraded or missed the user's last
    event."""
    queries, lists, page_lists, degraded = Queries(), [], [], 0
    tokens: dict[int, str] = {}
    for row in protocol_rows(dataset, schema, first, end, queries):
        if row.number < first:
            continue
        event = event_of(dataset.name, *row.event)
        if row.is_query or row.opens_page:
            user_id = event.user or str(event.user_id)
            parameters: dict[str, str | int | float | bool] = {"user_id": user_id, "size": TOP, "at": row.ts}
            parameters |= {"model": model} if model else {}
            parameters |= {f"context.{name}": value for name, value in schema.context.read(event.context).items()}
            parameters |= {"seen": tokens[row.user_id]} if row.user_id in tokens else {}
            response = client.get("/v1/recommendations", params=parameters).raise_for_status().json()
            found = as_list([schema.ids.inside(item["item_id"]) for item in response["items"]])
            lists += [found] if row.is_query else []
            page_lists += [found] if row.opens_page else []
            degraded += bool(response["degraded"]) or response["freshness"]["seen_applied"] is False
        content = write_event(event, schema)
        answer = client.post("/v1/events", content=content, headers={"Content-Type": "application/json"})
        tokens[row.user_id] = answer.raise_for_status().json()["seen"]
        on_row(row.number)
    return QueryLists(queries, stacked({label: lists}), stacked({label: page_lists})), degraded
