"""The walk predicts each click before anybody learns of it, and counts what it should."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.sessions.baseline import Context
from benchmarks.sessions.click_log import Click, ClickLog
from benchmarks.sessions.click_walk import ALL, NEW, NO_RANK, Outcome, Recommenders, walk
from benchmarks.sessions.session_figures import HR, NDCG, figures_of

Row = tuple[int, int, int, str, int]


def log_of(rows: Sequence[Row]) -> ClickLog:
    users, sessions, items, kinds, times = zip(*rows, strict=True)
    return ClickLog(
        np.array(users), np.array(sessions), np.array(items), kinds, np.array(times), tuple("0123456789"), ()
    )


@dataclass
class Fixed:
    """Gives one list to everybody, and notes what it is shown."""

    name: str
    items: list[int]
    contexts: list[Context] = field(default_factory=list)
    observed: list[Click] = field(default_factory=list)

    def ranking(self, context: Context) -> list[int]:
        self.contexts.append(context)
        return self.items[: context.count]

    def observe(self, click: Click) -> None:
        self.observed.append(click)


LOG = log_of(
    [
        (0, 0, 1, "click", 0),
        (1, 1, 2, "click", 10),  # begins before the walk: never predicted
        (0, 2, 3, "click", 20),  # the first of its session: not predicted
        (1, 1, 1, "click", 30),
        (0, 2, 1, "click", 40),  # its user has had it
        (0, 2, 1, "purchase", 41),  # no look: not predicted
        (0, 2, 4, "view", 50),  # new to everybody
        (2, 3, 5, "click", 60),
        (2, 3, 3, "click", 70),
    ]
)


def test_each_later_click_is_predicted_by_what_was_before_it() -> None:
    live = Fixed("live", [1, 9, 3])
    outcome = walk(LOG, 20, Recommenders(live=[live]))
    assert [(context.user, context.session, context.items, context.ts) for context in live.contexts] == [
        (0, 2, (3,), 40),
        (0, 2, (3, 1), 50),
        (2, 3, (5,), 70),
    ]
    assert [context.count for context in live.contexts] == [22, 22, 21]
    assert (outcome.sessions, outcome.positions) == ([2, 2, 3], [1, 2, 1])
    assert (outcome.new, outcome.unseen) == ([False, True, True], [False, True, False])


def test_ranks_among_new_items_leave_out_what_the_user_had() -> None:
    outcome = walk(LOG, 20, Recommenders(live=[Fixed("live", [1, 9, 3])]))
    assert outcome.ranks["live", ALL] == [0, NO_RANK, 2]
    assert outcome.ranks["live", NEW] == [NO_RANK, NO_RANK, 2]
    assert outcome.clicks(NEW).tolist() == [False, True, True]


def test_an_item_behind_the_twentieth_is_no_hit() -> None:
    items = [*range(10, 29), 9, 3, 4]
    outcome = walk(LOG, 20, Recommenders(live=[Fixed("live", items)]))
    assert outcome.ranks["live", ALL] == [NO_RANK, NO_RANK, NO_RANK]
    assert walk(LOG, 20, Recommenders(live=[Fixed("live", items[1:])])).ranks["live", ALL] == [NO_RANK, NO_RANK, 19]


def test_who_learns_from_what() -> None:
    live, static, product = (Fixed(name, [1]) for name in ("live", "static", "product"))
    walk(LOG, 20, Recommenders(live=[live], static=[static], product=[product]))
    looks = [click for click in LOG if click.kind != "purchase"]
    assert live.observed == looks
    assert static.observed == looks[:2]
    assert product.observed == list(LOG)[2:]


def test_the_walk_ends_with_the_last_row_of_so_many_sessions() -> None:
    product = Fixed("product", [1])
    outcome = walk(LOG, 20, Recommenders(product=[product]), sessions=1)
    assert set(outcome.sessions) == {2}
    assert product.observed[-1] == list(LOG)[6]


def test_of_sessions_beyond_the_limit_no_click_is_predicted() -> None:
    """Else the first clicks of many that are cut off would weigh more than all of those that are walked."""
    rows: list[Row] = [
        (number, number, item, "click", 100 + 4 * item + number) for item in (5, 6) for number in range(4)
    ]
    product = Fixed("product", [6])
    outcome = walk(log_of(rows), 100, Recommenders(product=[product]), sessions=2)
    assert outcome.sessions == [0, 1]


def test_figures_are_means_over_clicks_with_intervals() -> None:
    outcome = Outcome(
        sessions=[1, 1, 2, 3],
        positions=[1, 2, 1, 1],
        new=[True, False, True, True],
        unseen=[False] * 4,
        ranks={("one", ALL): [0, 15, NO_RANK, 2], ("one", NEW): [0, NO_RANK, NO_RANK, 2]}
        | {("other", ALL): [NO_RANK] * 4, ("other", NEW): [NO_RANK] * 4},
    )
    figures = figures_of(outcome, "one")
    assert (figures["all: clicks"], figures["new: clicks"]) == (4, 3)
    assert (figures[f"all: {HR}"], figures[f"new: {HR}"]) == (0.75, round(2 / 3, 4))
    assert (figures[f"all: {NDCG}"], figures[f"new: {NDCG}"]) == (0.375, 0.5)
    assert (figures[f"all: {HR}, 2nd click"], figures[f"all: {HR}, 3rd click"]) == (round(2 / 3, 4), 1.0)
    assert figures[f"all: {HR}, later click"] is None
    low, high = (figures[f"all: {HR}, {end}"] for end in ("from", "to"))
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 0 <= low < 0.75 < high <= 1
    assert figures_of(outcome, "other", "one")[f"all: {HR}, one ahead"] == 0.75
    assert f"all: {HR}, one ahead" not in figures_of(outcome, "one", "one")
