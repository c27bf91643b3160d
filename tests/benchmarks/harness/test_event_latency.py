"""What producer and subscriber noted, put together."""

import numpy as np

from benchmarks.harness.event_latency import MS, NEVER, Moments, Outage, Seen, Sent, outage, readable_at, within
from features.arrays import IntArray


def moments(*values: int) -> Moments:
    return np.array(values, np.int64)


def sent(users: Moments, offsets: Moments) -> Sent:
    nothing: IntArray = np.zeros(len(users), np.int64)
    return Sent(users, offsets, nothing, nothing, nothing, 0.0)


def test_readable_at_the_first_word_that_covers_an_event() -> None:
    # User 7's events at offsets 3 and 5 become one write; user 8's word comes later; user 9's never does.
    events = sent(moments(7, 7, 7, 8, 9), moments(1, 3, 5, 4, 6))
    words = Seen(moments(7, 8, 7), moments(2, 5, 6), moments(10, 30, 20), 0.0)
    assert readable_at(events, words).tolist() == [10, 20, 20, 30, NEVER]


def test_a_word_of_another_user_covers_nothing() -> None:
    # Whatever user sorts before or after: its high n says nothing of this one.
    for other in (1, 100):
        words = Seen(moments(other), moments(1000), moments(10), 0.0)
        assert readable_at(sent(moments(50), moments(3)), words).tolist() == [NEVER]


def test_what_was_not_acknowledged_is_never_readable() -> None:
    words = Seen(moments(7), moments(4), moments(10), 0.0)
    assert readable_at(sent(moments(7), moments(-1)), words).tolist() == [NEVER]


def test_no_words_at_all() -> None:
    none = Seen(moments(), moments(), moments(), 0.0)
    assert readable_at(sent(moments(7), moments(1)), none).tolist() == [NEVER]


def test_within_counts_both_ends() -> None:
    inside = within(moments(9, 10, 15, 20, 21, 30), [(10, 20), (30, 40)])
    assert inside.tolist() == [False, True, True, True, False, True]


def seconds(*values: float) -> Moments:
    return np.array([int(value * 1000) * MS for value in values], np.int64)


def test_an_outage_ends_with_the_last_late_event() -> None:
    # Killed at 10 s: an event a second; those of 10 to 13 s are readable at 14 s, the later ones at once.
    acked = seconds(8, 9, 10.1, 11, 12, 13, 14.5, 15.5)
    readable = seconds(8.01, 9.01, 14, 14, 14, 14, 14.51, 15.51)
    after = outage(acked, readable, *seconds(10, 13.9, 20).tolist())
    assert after == Outage(normal_at=int(seconds(14)[0]), pending=4, silent_ns=int(seconds(4)[0]), later=0)


def test_a_fault_that_is_noticed_late_still_counts() -> None:
    # A killed JobManager: the tasks go on for five seconds, then stop until 18 s.
    acked = seconds(*np.arange(10.1, 19.1, 0.5))
    stopped = (acked >= seconds(15)[0]) & (acked < seconds(18)[0])
    readable = np.where(stopped, seconds(18), acked + 5 * MS)
    after = outage(acked, readable, *seconds(10, 17.8, 30).tolist())
    assert after.normal_at == seconds(18)[0]
    assert after.pending == int(np.count_nonzero(stopped))


def test_a_stall_long_after_is_told_apart() -> None:
    acked = seconds(10.1, 12, 25)
    readable = seconds(11, 12.01, 25.3)
    after = outage(acked, readable, *seconds(10, 10.9, 30).tolist())
    assert after.normal_at == seconds(11)[0]
    assert after.later == 1


def test_without_a_late_event_there_is_no_outage() -> None:
    acked = seconds(10.1, 11)
    after = outage(acked, acked + 10 * MS, *seconds(10, 10.2, 20).tolist())
    assert after.normal_at == seconds(10)[0]
    assert after.later == 0


def test_an_event_that_is_lost_makes_an_outage_without_an_end() -> None:
    after = outage(seconds(10.1, 11), np.array([NEVER, seconds(11.01)[0]]), *seconds(10, 10.2, 20).tolist())
    assert after.normal_at == NEVER
