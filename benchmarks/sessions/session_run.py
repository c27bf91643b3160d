"""`./martlet bench sessions`: the walk over files of click sessions, of a running home beside baselines."""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path

from rich.progress import Progress

from benchmarks.harness.homes import Running
from benchmarks.harness.job_progress import refuse_what_is_known
from benchmarks.harness.list_client import ListClient
from benchmarks.harness.run_report import Report
from benchmarks.harness.traffic import drain
from benchmarks.sessions.baseline import Popularity, Recommender
from benchmarks.sessions.click_log import ClickLog, read_click_log
from benchmarks.sessions.click_walk import Recommenders, walk
from benchmarks.sessions.item_rules import AssociationRules, SequentialRules
from benchmarks.sessions.martlet_lists import MartletLists
from benchmarks.sessions.sequence_models import sequence_models
from benchmarks.sessions.session_figures import figures_of, summary
from benchmarks.sessions.session_knn import SessionNeighbours
from features.errors import BadInput
from features.types import Millis
from features.units import DAY_MS
from infra.home.paths import Home
from infra.replay.clock_mark import offset_of, put_mark
from infra.system.times import show_time

STATIC = ", static"
"""Behind the name of a baseline that learned from the earlier part alone."""


def baselines(suffix: str = "") -> list[Recommender]:
    """Returns V-SKNN, SR, AR and popularity, which fills up the lists of all of them. `suffix` stands behind their names."""
    popularity = Popularity(f"popular{suffix}")
    return [
        SessionNeighbours(popularity, f"V-SKNN{suffix}"),
        SequentialRules(popularity, f"SR{suffix}"),
        AssociationRules(popularity, f"AR{suffix}"),
        popularity,
    ]


def start_of_walk(log: ClickLog, share: float, made_to: Millis) -> Millis:
    """Returns when the walk starts: after a share of the rows, and after all that the home was made of, which ends at `made_to`;
    with the last row where that would be later. Rows of one time may lie on both sides of a history's end, and a data set has
    fewer rows than its files where some came twice: so a home of the same share may know a little of what comes."""
    return min(max(log.cut(share), made_to + 1), int(log.times[-1]))


def run(
    paths: Sequence[Path],
    home: Path | None,
    share: float,
    sessions: int | None,
    loaded: bool,
    peers: bool,
    json: Path | None,
) -> None:
    """Print the figures. home: None for the baselines alone; share: of rows that may be learned from; sessions: at most so many
    are walked; loaded: the home has the earlier part already, at the log's own times; peers: also models of RecBole.

    Raises BadInput for files that can't be read, Unavailable if the home does not answer, MartletError if a model of RecBole
    fails.
    """
    log = read_click_log(paths)
    running = None if home is None else Running(Home(home))
    made_to = running.base().cut if running and loaded else 0
    start = start_of_walk(log, share, made_to)
    options = {"files": [str(each) for each in paths], "learned": share, "sessions": sessions, "loaded": loaded}
    report = Report("sessions", options)
    with ExitStack() as cleanup:
        product: list[MartletLists] = []
        if start > log.cut(share):
            report.note(f"the walk begins after {show_time(made_to)} UTC, where the history of {home} ends")
        if running is not None:
            product.append(_martlet(cleanup, running, log, start, loaded, report))
        static = baselines(STATIC)
        if peers:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
            static += sequence_models(log, start, sessions, folder, print)
        recommenders = Recommenders(live=baselines(), static=static, product=product)
        bar = cleanup.enter_context(Progress())
        task = bar.add_task("rows", total=len(log))
        outcome = walk(log, start, recommenders, sessions, lambda done: bar.update(task, completed=done))
    if not len(outcome):
        raise BadInput(", ".join(map(str, paths)), "later sessions of at least two clicks", "none")
    names = [each.name for each in recommenders.everyone()]
    report.note(summary(outcome))
    for each in product:
        lacked = ", ".join(f"{what}: {count}" for what, count in sorted(each.degraded.items()) if count)
        report.note(f"{each.lists} lists of {each.name}; {lacked or 'none degraded'}")
    for name in names:
        report.add(figures_of(outcome, name, product[0].name if product else None), name)
    report.show_medians()
    report.save(json)


def _martlet(
    cleanup: ExitStack, running: Running, log: ClickLog, start: int, loaded: bool, report: Report
) -> MartletLists:
    """A home that knows what lies before the walk. Its times are the log's own where it was made of the log (`loaded`); otherwise
    the log is moved by whole days so that it ends now, and its earlier part is posted. Raises BadInput where it knows more."""
    client = cleanup.enter_context(ListClient(running.api))
    newest = int(log.times[-1])
    if loaded:
        refuse_what_is_known(running.home.path, running.known_to(), start)
        put_mark(running.engines.redis, offset_of(newest))
        return MartletLists(client, log, 0)
    shift = (client.clock() - newest) // DAY_MS * DAY_MS
    lists = MartletLists(client, log, shift)
    first = next(click for click in log if click.ts >= start)
    refuse_what_is_known(running.home.path, lists.newest_of(first.user), first.ts + shift)
    began = time.monotonic()
    posted = lists.learn(takewhile(lambda click: click.ts < start, log))
    drain(running)
    report.note(f"{posted} events of the earlier part posted and folded in {time.monotonic() - began:.1f} s")
    return lists
