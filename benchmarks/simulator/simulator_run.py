"""`./martlet bench simulator`: the regret of Martlet, of most-popular and of random lists in a drawn shop."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.progress import Progress

from benchmarks.harness.homes import Running
from benchmarks.harness.job_progress import refuse_what_is_known
from benchmarks.harness.list_client import ListClient
from benchmarks.harness.run_report import Figure, Report
from benchmarks.harness.traffic import drain
from benchmarks.simulator.episode import Curve, Past, draw_past, drive, introduce
from benchmarks.simulator.martlet_policy import Martlet
from benchmarks.simulator.policies import Insider, Oracle, Policy, Popular, Uniform
from benchmarks.simulator.shop import Plan, draw_shop
from benchmarks.simulator.shop_files import item_id, ts_of, write_shop
from benchmarks.simulator.shoppers import Shoppers
from features.errors import Unavailable
from features.units import DAY_MS
from infra.home.paths import Home

PREPARE, DRIVE = "prepare", "drive"
STEPS: Final = (PREPARE, DRIVE)
"""Of a home: the first items and the past are sent to it; it recommends."""


def run(plan: Plan, home: Path | None, steps: tuple[str, ...], clicks: int, json: Path | None) -> None:
    """Print the figures. home: None for the policies without a service alone; clicks: on Martlet's lists, or without it on the
    popular ones, after which all episodes end at the same list.

    Raises Unavailable if the home does not answer.
    """
    report = Report("simulator", {"plan": plan, "clicks": clicks, "steps": steps})
    past = draw_past(draw_shop(plan))
    report.note(
        f"{plan.users} users, {plan.items} items; {len(past.acts)} acts in {plan.past:g} days before, "
        f"{len(past.coming)} visits in {plan.days:g} days from then on"
    )
    curves: dict[str, Curve] = {}
    if home is not None:
        with ExitStack() as cleanup:
            martlet = _martlet(cleanup, Running(Home(home)), past, steps, report)
            if DRIVE not in steps:
                return
            progress = cleanup.enter_context(Progress())
            task = progress.add_task("clicks", total=clicks)
            curves[martlet.name] = drive(
                past, martlet, past.shoppers.copy(), clicks, progress=lambda done: progress.update(task, completed=done)
            )
        lacked = ", ".join(f"{what}: {count}" for what, count in sorted(martlet.degraded.items()) if count)
        report.note(f"{martlet.lists} lists of {martlet.name}; {lacked or 'none degraded'}")
    lists = len(curves[Martlet.name]) if home is not None else None
    makers: tuple[Callable[[Shoppers], Policy], ...] = (
        lambda _: Popular(past.shop),
        lambda _: Uniform(past.shop),
        Insider,
        Oracle,
    )
    for make in makers:
        shoppers = past.shoppers.copy()
        policy = make(shoppers)
        introduce(policy, past)
        curves[policy.name] = drive(past, policy, shoppers, None if lists else clicks, lists)
        lists = len(curves[policy.name])
    for name, curve in curves.items():
        report.add(figures_of(curve, curves[Popular.name]), name)
    report.show_medians()
    report.save(json)


def figures_of(curve: Curve, popular: Curve) -> dict[str, Figure]:
    """Returns the figures of an episode beside those of most-popular lists for the same visits."""
    lists = len(curve)
    return {
        "lists": lists,
        "clicks": curve.clicks[-1],
        "expected worth a list": round(curve.worth[-1] / lists, 4),
        "regret": round(curve.regret[-1], 2),
        "regret a list": round(curve.regret[-1] / lists, 4),
        "regret / most-popular's": round(curve.regret[-1] / popular.regret[-1], 3),
        "of the last quarter": round(_last_quarter(curve) / _last_quarter(popular), 3),
    }


def _last_quarter(curve: Curve) -> float:
    return curve.regret[-1] - curve.regret[len(curve) * 3 // 4]


def write(plan: Plan, folder: Path) -> None:
    """Write the shop of a plan as files, with what its users do without a recommender; the plan's days end today."""
    today = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS
    events = write_shop(draw_shop(plan), folder, _start(today, plan))
    print(f"{events} events, {plan.items} items in {folder}")


def _start(end: int, plan: Plan) -> int:
    """Returns day 0 as ms, a midnight (UTC), so that the plan's days end at `end` (ms) or less than a day before."""
    return ts_of(-plan.days, end) // DAY_MS * DAY_MS


def _martlet(cleanup: ExitStack, running: Running, past: Past, steps: tuple[str, ...], report: Report) -> Martlet:
    client = cleanup.enter_context(ListClient(running.api))
    preparing = PREPARE in steps
    start = _start(client.clock(), past.shop.plan) if preparing else start_of_prepared(client, past)
    first = min(act.day for act in past.acts) if preparing else 0
    refuse_what_is_known(running.home.path, running.known_to(), ts_of(first, start))
    martlet = Martlet(client, past.shop, start)
    if preparing:
        began = time.monotonic()
        introduce(martlet, past)
        drain(running)
        report.note(f"the first items put, {len(past.acts)} acts posted and folded in {time.monotonic() - began:.1f} s")
    return martlet


def start_of_prepared(client: ListClient, past: Past) -> int:
    """Returns day 0 of a home that was prepared, maybe days ago: by when its first act was. Raises Unavailable for one that was
    not."""
    first = min(past.acts, key=lambda act: act.day)
    then = client.first_event(item_id(first.item))
    if then is None:
        raise Unavailable("expected a home that was prepared (--only prepare), got one without the shop's acts")
    return then - ts_of(first.day, 0)
