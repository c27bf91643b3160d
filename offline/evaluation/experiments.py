"""Results of experiments, of the lists that the topic `samples` holds: the share of each arm's lists in which something was
liked; and of two interleaved models the verdict."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from msgspec import UNSET
from rich.console import Console
from rich.table import Table

from features.contracts.samples import Sample
from features.engines.kafka_address import KafkaAddress
from features.ids import OuterId
from features.schema.tables import Schema
from features.statistics.interleaving import Interleaving, liked_by_team
from offline.base.kafka_log import KafkaLog
from offline.training_data.logged_lists import logged_samples, spans_of
from offline.training_data.reactions import labels_of

RESAMPLES: Final = 1_000
SEED: Final = 7


@dataclass
class ArmResult:
    """Of each user with lists of an arm: how many lists, how many of them with something liked, and how many items liked."""

    lists: dict[OuterId, int] = field(default_factory=lambda: defaultdict(int))
    hits: dict[OuterId, int] = field(default_factory=lambda: defaultdict(int))
    liked: dict[OuterId, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, user: OuterId, liked: int) -> None:
        self.lists[user] += 1
        self.hits[user] += liked > 0
        self.liked[user] += liked

    def share(self) -> tuple[float, float, float]:
        """(mean, low, high) share of lists with something liked; 95 % of resamplings of users lie between low and high. Users
        with as many lists and as many hits are one group: how many of it are drawn is all that a resampling says."""
        groups = Counter((count, self.hits[user]) for user, count in self.lists.items())
        lists, hits = np.array(list(groups), float).T
        users = np.array(list(groups.values()), float)
        rng = np.random.default_rng(SEED)
        drawn = [rng.multinomial(len(self.lists), users / users.sum()) for _ in range(RESAMPLES)]
        means = [(each @ hits) / (each @ lists) for each in drawn]
        low, high = np.percentile(means, [2.5, 97.5])
        return float((users @ hits) / (users @ lists)), float(low), float(high)


@dataclass
class Results:
    """arms: (experiment, arm) → what came of it; interleaved: (model, model), in order of names, → what came of both."""

    arms: dict[tuple[str, str], ArmResult] = field(default_factory=lambda: defaultdict(ArmResult))
    interleaved: dict[tuple[str, str], Interleaving] = field(default_factory=lambda: defaultdict(Interleaving))


def results_of(samples: Iterable[Sample], schema: Schema) -> Results:
    """What came of these lists. A list with picks of one model alone, as one of a single item, is in no interleaving."""
    results = Results()
    for sample in samples:
        labels = labels_of(sample, schema)
        liked = {item_id for item_id, label in labels.items() if label}
        if sample.served.arms is not UNSET:
            for experiment, arm in sample.served.arms.items():
                results.arms[experiment, arm].add(sample.user_id, len(liked))
        teams = {item.item_id: item.team for item in sample.served.items if item.team is not UNSET}
        picks = liked_by_team(teams, liked)
        if len(picks) == 2:
            first, second = picks
            results.interleaved[first, second].add(sample.user_id, picks[first], picks[second])
    return results


def all_samples(address: KafkaAddress) -> Iterator[Sample]:
    """All closed lists that the log holds, each once; what is none, or has lost its list, is left out. Raises Unavailable where
    Kafka does not answer."""
    log = KafkaLog(address, patience=20)
    for spans in spans_of(log):
        yield from (sample for sample in logged_samples(log, spans) if isinstance(sample, Sample))


def report(console: Console, samples: Iterable[Sample], schema: Schema) -> None:
    """Print a line for each arm of these lists, and for each pair of interleaved models; what is liked is what `schema` says.
    Prints one line where there is no result."""
    results = results_of(samples, schema)
    if not results.arms and not results.interleaved:
        console.print(
            "no closed list was made in an experiment yet (serving.json declares them; see docs/operating.md)"
        )
        return
    if results.arms:
        console.print(_arms_table(results))
    for (first, second), found in sorted(results.interleaved.items()):
        picks = f"{first} {found.liked[0]}, {second} {found.liked[1]} ({found.lists} lists)"
        console.print(f"interleaved, items liked of each model's picks: {picks}", soft_wrap=True)
        console.print(f"  {found.verdict(first, second)}", soft_wrap=True)


def _arms_table(results: Results) -> Table:
    table = Table(title="lists with something liked, by experiment and arm", title_justify="left")
    for name in ("experiment", "arm", "users", "lists", "share with a like", "items liked"):
        table.add_column(name, no_wrap=True)
    for (experiment, arm), result in sorted(results.arms.items()):
        mean, low, high = result.share()
        cells = (len(result.lists), sum(result.lists.values()), f"{mean:.3f} ({low:.3f}-{high:.3f})")
        table.add_row(experiment, arm, *map(str, cells), str(sum(result.liked.values())))
    return table
