"""Faults of the join of shown lists with what users do about them."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a clock that was ahead closes lists until it is caught up with",
        "streaming/operators/user_lane.py",
        "self._ended.clear()",
        "self._ended.copy()",
        ("test_a_clock_that_was_ahead_closes_no_list_once_it_is_right",),
    ),
    Fault(
        "open lists are not bounded",
        "streaming/operators/impression_join.py",
        "return lane.count > OPEN_LISTS",
        "return lane.count > 100 * OPEN_LISTS",
        ("test_beyond_the_bound_the_oldest_are_closed_early_and_counted",),
    ),
    Fault(
        "the newest list is closed early",
        "streaming/operators/impression_join.py",
        "at = min(lane.periods, default=None)",
        "at = max(lane.periods, default=None)",
        ("test_beyond_the_bound_the_oldest_are_closed_early_and_counted",),
    ),
    Fault(
        "acts without a list stay in a silent lane",
        "streaming/operators/impression_join.py",
        " or until // _SECOND_MS > lane.oldest",
        "",
        ("test_acts_without_a_list_are_dropped_though_their_lane_is_silent",),
    ),
    Fault(
        "actions of a list are not bounded",
        "streaming/operators/impression_join.py",
        "if len(of_list.actions) < MAX_ACTIONS:",
        "if True:",
        ("test_a_list_takes_no_more_actions_than_its_bound",),
    ),
    Fault(
        "a closed list's actions stay in the state",
        "streaming/operators/impression_join.py",
        "            else:\n                self._acted.remove(user_id)\n",
        "",
        ("test_a_list_keeps_no_more_actions_than_its_bound",),
    ),
    Fault(
        "closed lists stay in the state",
        "streaming/operators/impression_join.py",
        "            self._open.remove(key)\n",
        "",
        ("test_an_act_after_25_minutes_at_400_lists_a_second_is_in_its_sample",),
    ),
    Fault(
        "lists closed early are closed after all that are closed in time",
        "streaming/operators/impression_join.py",
        "max(until, at * _SECOND_MS - self._window_ms) if early",
        "at * _SECOND_MS + 600_000 if early",
        ("test_lists_closed_early_while_the_log_is_behind_are_closed_before_all_that_are_closed_in_time",),
    ),
    Fault(
        "lists closed early are not counted",
        "streaming/operators/impression_join.py",
        "lane.early += len(references) if early else 0",
        "lane.early += 0",
        ("test_beyond_the_bound_the_oldest_are_closed_early_and_counted",),
    ),
    Fault(
        "all lists of a minute are closed at once",
        "streaming/operators/impression_join.py",
        "            left -= max(len(references), CHUNK_COST)\n",
        "",
        ("test_the_lists_of_a_minute_are_closed_a_few_at_once",),
    ),
    Fault(
        "a few lists a minute are closed too slowly",
        "streaming/operators/impression_join.py",
        "CHUNK_COST: Final = 4",
        "CHUNK_COST: Final = 64",
        ("test_a_log_of_few_lists_in_many_minutes_is_kept_up_with",),
    ),
    Fault(
        "acts of a user are not bounded",
        "streaming/operators/impression_join.py",
        "len(acted) > ACTED_LISTS or _count(acted) > USERS_ACTIONS",
        "len(acted) > ACTED_LISTS",
        ("test_a_user_who_acts_all_the_time_holds_a_bounded_number_of_acts",),
    ),
    Fault(
        "a user's acts are read and stored for each of them",
        "streaming/operators/impression_join.py",
        "            if len(lane.held) >= HELD_USERS:",
        "            if lane.held:",
        ("test_the_acts_of_a_user_are_read_once_and_stored_once_for_a_batch",),
    ),
    Fault(
        "acts are lost of users beyond those that a lane holds",
        "streaming/operators/impression_join.py",
        "                self._store_acts(lane)\n            data",
        "                lane.held.clear()\n                lane.changed_acts.clear()\n            data",
        ("test_more_users_may_act_in_a_batch_than_a_lane_holds",),
    ),
    Fault(
        "the open chunk is not stored with its batch",
        "streaming/operators/impression_join.py",
        "            lane.changed.add(at)\n",
        "            pass\n",
        ("test_a_restart_at_any_moment_changes_nothing",),
    ),
    Fault(
        "actions without a list stay for good",
        "streaming/operators/impression_join.py",
        "if now <= lane.oldest:",
        "if True:",
        ("test_actions_that_meet_no_list_are_dropped_after_their_time_and_counted",),
    ),
)
