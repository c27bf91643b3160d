"""Faults in what comes: duplicates, replays, disorder, lateness, a hot user (rows 2 to 5 of the fault table)."""

import threading

import httpx
import pytest

from features.contracts.events import write_event
from features.fold.dedupe import REMEMBERED
from features.keys import DEFAULT_PARTITIONS, EVENTS, partition_of, seen_key, user_key, user_of
from features.types import CLICK, RATING, Event
from tests.faults.conftest import Traffic, click
from tests.home import Martlet, until
from tests.ledger import ledger, verify
from tests.schemas import MOVIES

pytestmark = pytest.mark.broken

YEAR_2100 = 4_102_444_800_000


def send(martlet: Martlet, events: list[Event]) -> None:
    futures = [
        martlet.producer.send(
            EVENTS,
            write_event(event, MOVIES),
            str(event.user_id).encode(),
            partition=partition_of(event.user_id, DEFAULT_PARTITIONS),
        )
        for event in events
    ]
    for future in futures:
        future.get(30)


def test_a_control_run_without_faults_is_exact(broken: Martlet) -> None:
    with Traffic(broken) as traffic:
        until(lambda: traffic.acknowledged > 100, 60, "events are acknowledged")
    counted = verify(broken)
    assert counted["applied"] == traffic.acknowledged
    assert counted["duplicate"] == counted["late"] == counted["rejected"] == 0


def test_duplicates_disorder_and_lateness_of_a_replay_change_nothing_that_the_log_does_not_say(broken: Martlet) -> None:
    """Rows 2 and 4: each event one to three times, out of order, a part of them only at the end."""
    before = ledger(broken)
    provoked = ("--shuffle", "--duplicate", "--late", "0.05", "--seed", "7")
    done = broken.command("replay", "--speed", "max", "--to", "1997-10-01", *provoked)
    assert done.returncode == 0, done.stdout + done.stderr
    provoked_once = verify(broken)
    assert provoked_once["duplicate"] - before["duplicate"] > 1000
    # The same events again, in order and once: not one of them is new.
    done = broken.command("replay", "--speed", "max", "--to", "1997-10-01")
    assert done.returncode == 0, done.stdout + done.stderr
    again = verify(broken)
    assert again["applied"] == provoked_once["applied"]


def test_a_full_replay_while_serving_never_takes_a_user_back(broken: Martlet) -> None:
    """Row 3."""
    done = broken.command("replay", "--speed", "max", "--to", "1997-09-25", "--restart")
    assert done.returncode == 0, done.stdout + done.stderr
    ledger(broken)
    known = {user_of(key.decode()) for key in broken.redis.scan_iter("{u:*}", count=1000) if not key.endswith(b":seen")}
    user = min(known)
    assert user < 1000, "a user of the data set"
    stop, places, failures = threading.Event(), [], []

    def watch() -> None:
        while not stop.wait(0.02):
            places.append(int(broken.redis.hget(user_key(user), "n") or 0))
            try:
                answer = broken.http.get("/v1/recommendations", params={"user_id": user})
            except httpx.HTTPError as error:
                failures.append(repr(error))
            else:
                failures.extend([answer.text] if answer.status_code != 200 else [])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = broken.command("replay", "--speed", "max", "--to", "1997-09-25", "--restart")
        assert done.returncode == 0, done.stdout + done.stderr
        until(lambda: places[-1] > places[0], 60, "the replay is folded")
    finally:
        stop.set()
        watcher.join(30)
    verify(broken)  # not before: each list that is asked for moves items
    assert not failures
    assert places == sorted(places)
    assert places[-1] > places[0] > 0


def test_an_event_dated_2100_is_rejected_and_one_older_than_the_dedupe_window_is_late(broken: Martlet) -> None:
    """Row 4."""
    before, user = ledger(broken), 720_001
    many = [Event(f"w{number}", CLICK, user, 1, 0, "", 870_000_000_000 + number) for number in range(REMEMBERED)]
    send(broken, [*many, Event("future", CLICK, user, 1, 0, "", YEAR_2100), Event("old", CLICK, user, 2, 0, "", 5)])
    click(broken, user)  # the log goes on behind them
    after = verify(broken)
    assert after["rejected"] - before["rejected"] == 1
    assert after["late"] - before["late"] == 1


def test_one_user_with_most_of_the_events_stays_bounded_and_does_not_hold_up_the_others(broken: Martlet) -> None:
    """Row 5."""
    hot = 730_001
    other = next(
        user
        for user in range(730_002, 731_000)
        if partition_of(user, DEFAULT_PARTITIONS) == partition_of(hot, DEFAULT_PARTITIONS)
    )
    events = [
        Event(f"hot{number}", RATING, hot, 1 + number % 1600, 450, "", 892_000_000_000 + number)
        for number in range(10_000)
    ]
    sender = threading.Thread(target=send, args=(broken, events))
    sender.start()
    try:
        for number in range(5):
            click(broken, other, 1 + number, within=30)
    finally:
        sender.join(120)
    until(lambda: broken.redis.scard(seen_key(hot)) == 1600, 60, "the hot user's items are seen")
    verify(broken)
    assert len(broken.redis.hget(user_key(hot), "v") or b"") <= 4096
