"""What the job promises of shown lists, an example each: when one closes, what its sample holds, its impressions."""

from features.contracts.samples import MAX_ACTIONS
from features.types import CLICK, FORGET_USER, LIKE, UNDO
from features.units import DAY_MS, MINUTE_MS
from streaming.operators.impression_join import SILENCE_MS
from streaming.operators.item_operator import IMPRESSIONS
from streaming.operators.served_lists import ENDS_EVERY
from tests.offline.small_log import START, WALL
from tests.streaming.bench import CLOSING, OTHER, USER, Bench
from tests.streaming.deltas import LANES


def test_a_list_closes_when_the_lane_is_half_an_hour_on(bench: Bench) -> None:
    bench.feed(bench.shown("r"), bench.event("c", CLICK, request_id="r", position=0))
    bench.feed(bench.event("d", CLICK, broker_ts=CLOSING - 1), bench.shown("s", broker_ts=CLOSING - 1))
    assert bench.samples() == []
    bench.feed(bench.event("e", CLICK, broker_ts=CLOSING), bench.shown("t", broker_ts=CLOSING))
    (sample,) = bench.samples()
    assert (sample["request_id"], sample["user_id"], sample["closed_ts"]) == ("r", USER, CLOSING)
    assert [action["event_id"] for action in sample["actions"]] == ["c"]
    bench.job.advance(1.0)
    assert (bench.lane().samples, bench.lane().open_lists) == (1, 2)


def test_while_both_topics_move_the_one_behind_closes_lists(bench: Bench) -> None:
    """As when a job that was away reads shown lists faster than events."""
    bench.feed(bench.shown("r"), bench.shown("much later", broker_ts=CLOSING + MINUTE_MS))
    bench.feed(bench.event("c", CLICK, request_id="r", broker_ts=WALL + MINUTE_MS))
    bench.feed(bench.shown("later still", broker_ts=CLOSING + 2 * MINUTE_MS))
    assert bench.samples() == []
    bench.feed(bench.event("d", CLICK, broker_ts=CLOSING + MINUTE_MS))
    (sample,) = bench.samples()
    assert [action["event_id"] for action in sample["actions"]] == ["c"]


def test_an_answer_may_come_before_its_list(bench: Bench) -> None:
    bench.feed(bench.event("c", CLICK, request_id="r"), bench.shown("r"))
    bench.feed_later(bench.event("e", CLICK, broker_ts=CLOSING))
    assert [action["event_id"] for action in bench.samples()[0]["actions"]] == ["c"]


def test_what_was_undone_is_in_no_sample_and_answers_without_a_list_are_none(bench: Bench) -> None:
    bench.feed(
        bench.shown("r"),
        *(bench.event(name, CLICK, request_id="r") for name in "abc"),
        bench.event("undo", UNDO, target="b"),
        bench.event("d", CLICK, request_id="never shown"),
    )
    bench.feed_later(bench.event("e", CLICK, broker_ts=CLOSING))
    assert [[action["event_id"] for action in sample["actions"]] for sample in bench.samples()] == [["a", "c"]]


def test_what_was_shown_to_a_user_who_is_forgotten_leaves_no_sample(bench: Bench) -> None:
    """Nor does a list that was made before and logged after it."""
    bench.feed(
        bench.shown("r"), bench.event("f", FORGET_USER), bench.shown("logged late"), bench.shown("later", START + 1)
    )
    bench.feed_later(bench.event("e", CLICK, START + 1, broker_ts=CLOSING))
    assert [sample.get("request_id") for sample in bench.all_samples()] == [None, "later"]
    assert bench.all_samples()[0] == {"user_id": USER, "forgotten_ts": WALL, "until": START}


def test_a_list_keeps_no_more_actions_than_its_bound(bench: Bench) -> None:
    bench.feed(bench.shown("r"), *(bench.event(f"c{n}", CLICK, request_id="r") for n in range(MAX_ACTIONS + 3)))
    few = bench.job.state_bytes()
    bench.feed(*(bench.event(f"d{n}", CLICK, request_id="r") for n in range(MAX_ACTIONS)))
    acted = bench.job.state_bytes("acted")
    assert 0 < acted < few
    bench.feed_later(bench.event("e", CLICK, broker_ts=CLOSING))
    actions = [action["event_id"] for action in bench.samples()[0]["actions"]]
    assert actions == [f"c{n}" for n in range(MAX_ACTIONS)]
    assert bench.job.state_bytes("acted") == 0
    assert bench.lane().unmatched == MAX_ACTIONS + 3


def test_the_lists_of_a_silent_lane_are_closed_by_wall_time(bench: Bench) -> None:
    bench.feed(bench.shown("r"))
    bench.job.advance((CLOSING - WALL + SILENCE_MS) / 1000 - 1)
    assert bench.samples() == []
    bench.job.advance(2)
    assert [sample["request_id"] for sample in bench.samples()] == ["r"]


def test_an_old_log_closes_no_list_by_wall_time_however_long_its_reading_stands_still(bench: Bench) -> None:
    """As while Kafka or Redis is away."""
    day = 86_400
    bench.time.advance(day)
    act = bench.event("c", CLICK, request_id="r", broker_ts=WALL + 1)
    bench.job.log.note([act])
    bench.feed(bench.shown("r"))
    bench.job.advance(10 * ENDS_EVERY)
    assert bench.samples() == []
    bench.feed(act)
    bench.job.advance(ENDS_EVERY + 1)
    (sample,) = bench.samples()
    assert [action["event_id"] for action in sample["actions"]] == ["c"]


def test_a_topic_that_stands_still_before_its_end_holds_back_what_the_other_would_close(bench: Bench) -> None:
    act = bench.event("c", CLICK, request_id="r", broker_ts=WALL + 1)
    bench.job.log.note([act])
    bench.feed(bench.shown("r"))
    bench.job.advance(10 * ENDS_EVERY)
    bench.feed(bench.shown("later", broker_ts=CLOSING))
    bench.job.advance(10 * ENDS_EVERY)
    assert bench.samples() == []
    bench.feed(act)
    bench.job.advance(2 * (CLOSING - WALL) / 1000)
    assert [len(sample["actions"]) for sample in bench.samples()] == [1, 0]


def test_a_topic_that_was_read_to_its_end_holds_back_nothing(bench: Bench) -> None:
    """Whatever the clock of the job's machine says."""
    bench.feed(bench.shown("r"), bench.event("c", CLICK, request_id="r", broker_ts=CLOSING))
    assert bench.samples() == []
    bench.job.advance(ENDS_EVERY + 1)
    assert [sample["request_id"] for sample in bench.samples()] == ["r"]


def test_a_clock_that_was_ahead_closes_no_list_once_it_is_right(bench: Bench) -> None:
    bench.feed(bench.shown("r"), bench.event("x", CLICK))
    bench.time.set_clock(WALL + DAY_MS)
    bench.job.advance(ENDS_EVERY + 2)
    assert [sample["request_id"] for sample in bench.samples()] == ["r"], (
        "the lane is silent, as far as it can be known"
    )
    later = WALL + 2 * MINUTE_MS
    bench.time.set_clock(later)
    bench.feed(bench.shown("s", broker_ts=later))
    bench.feed(bench.event("c", CLICK, request_id="s", broker_ts=later + 5000))
    bench.job.advance(2 * ENDS_EVERY)
    assert len(bench.samples()) == 1
    bench.feed_later(bench.event("e", CLICK, broker_ts=CLOSING + 2 * MINUTE_MS))
    assert [action["event_id"] for action in bench.samples()[1]["actions"]] == ["c"]


def test_lists_wait_while_nobody_says_where_the_log_ends(bench: Bench) -> None:
    bench.job.log.is_away = True
    bench.feed(bench.shown("r"), bench.event("c", CLICK, request_id="r"))
    bench.job.advance(2 * (CLOSING - WALL) / 1000)
    assert bench.samples() == []
    bench.job.log.is_away = False
    bench.job.advance(ENDS_EVERY + 1)
    assert [sample["request_id"] for sample in bench.samples()] == ["r"]


def test_acts_without_a_list_are_dropped_though_their_lane_is_silent(bench: Bench) -> None:
    bench.feed(bench.event("c", CLICK, request_id="never shown"))
    assert bench.job.state_bytes("acted") > 0
    bench.job.advance(2 * (CLOSING - WALL) / 1000)
    assert bench.job.state_bytes("acted") == 0


def test_what_was_only_shown_waits_though_others_are_acted_on(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE), bench.event("z", LIKE, item=OTHER))
    bench.job.advance(2 * IMPRESSIONS)
    before, others = bench.contributions(), bench.contributions(item=OTHER)
    bench.feed(bench.shown("r1", broker_ts=bench.time.wall_ms()))  # a calm lane says it at once
    bench.feed(bench.shown("r2", broker_ts=bench.time.wall_ms()))
    for number in range(4):
        bench.feed(bench.event(f"o{number}", LIKE, item=OTHER))
        bench.job.advance(1.0)
    assert bench.contributions() == before + 1
    assert bench.contributions(item=OTHER) == others + 4
    bench.job.advance(1.2)
    assert bench.contributions() == before + 2


def test_an_act_takes_the_impressions_of_its_item_along(bench: Bench) -> None:
    """Though they wait already, since something else was written without them."""
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(2 * IMPRESSIONS)
    bench.feed(bench.shown("first", broker_ts=bench.time.wall_ms()))
    before = bench.contributions()
    for number in range(3):
        bench.feed(bench.shown(f"r{number}", broker_ts=bench.time.wall_ms()))
    bench.feed(bench.event("o", LIKE, item=OTHER))
    bench.job.advance(1.0)
    assert bench.contributions() == before
    bench.feed(bench.event("b", LIKE))
    bench.job.advance(1.0)
    assert bench.contributions() == before + 4


def test_impressions_that_wait_are_written_after_a_crash(bench: Bench) -> None:
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(2 * IMPRESSIONS)
    before = bench.contributions()
    bench.feed(bench.shown("r1", broker_ts=bench.time.wall_ms()))
    bench.job.advance(1.0)  # Redis has acknowledged it
    bench.feed(bench.shown("r2", broker_ts=bench.time.wall_ms()))
    bench.feed(bench.event("o", LIKE, item=OTHER))
    bench.job.advance(1.0)
    assert bench.contributions() == before + 1
    bench.job.checkpoint()
    bench.job.crash()
    bench.job.touch_all()
    assert bench.contributions() == before + 2


def test_the_first_impression_of_an_item_does_not_wait(bench: Bench) -> None:
    """From then on it has features, which is news; what is shown again is not."""
    new = next(item for item in range(1000, 2000) if LANES.of_item(item) == LANES.of_item(5))
    bench.feed(bench.event("a", LIKE))
    bench.job.advance(2 * IMPRESSIONS)
    bench.feed(bench.shown("r1", broker_ts=bench.time.wall_ms()))  # a calm lane says it at once
    bench.feed(bench.shown("r2", broker_ts=bench.time.wall_ms(), item=new))
    bench.job.advance(1.0)
    assert bench.contributions(item=new) == 1
