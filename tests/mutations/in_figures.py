"""Faults of what is counted and compared: by `verify`, evaluations, benchmarks, a replay of itself, and the judge of versions."""

from typing import Final

from tests.mutations.fault import Fault

COMPARE: Final = "infra/verify/compare.py"
OUTCOMES: Final = "infra/judging/outcomes.py"
NOTES: Final = "infra/replay/progress_notes.py"

FAULTS: Final = (
    Fault(
        "a walk asks a home for what shares its time with the end of the history",
        "benchmarks/sessions/session_run.py",
        "return min(max(log.cut(share), made_to + 1), int(log.times[-1]))",
        "return log.cut(share)",
        ("test_a_home_that_was_made_of_the_earlier_part_is_walked",),
    ),
    Fault(
        "a home that was made of the whole log is walked",
        "benchmarks/sessions/session_run.py",
        "return min(max(log.cut(share), made_to + 1), int(log.times[-1]))",
        "return max(log.cut(share), made_to + 1)",
        ("test_a_home_that_was_made_of_all_is_refused",),
    ),
    Fault(
        "what is hidden for a time may be hidden for good as well",
        COMPARE,
        "seen_key(user_id), seen, dict.fromkeys(map(int, for_good), FOREVER)",
        "seen_key(user_id), seen, dict.fromkeys({*map(int, for_good)} - {*later}, FOREVER)",
        ("test_a_fault_is_found_and_its_key_named",),
    ),
    Fault(
        "verify takes any generation's lanes for this one's",
        COMPARE,
        "lanes = read_lanes(pipe.execute(), generation)",
        "lanes = read_lanes(pipe.execute())",
        ("test_a_fault_is_found_and_its_key_named",),
    ),
    Fault(
        "verify looks for no verdict that the log has none of",
        COMPARE,
        'for name in ("read", *verdicts):',
        "for name in ledger:",
        ("test_a_fault_is_found_and_its_key_named", "test_a_lane_counts_nothing_where_the_log_has_nothing"),
    ),
    Fault(
        "the pages of a part of the rows are those of its rows alone",
        "offline/evaluation/prequential.py",
        "islice(protocol_rows(dataset, schema, first, dataset.rows, queries), end)",
        "protocol_rows(dataset, schema, first, end or dataset.rows, queries)",
        ("test_lists_of_parts_of_the_rows_are_those_of_all_of_them",),
    ),
    Fault(
        "an item that a page wants twice is two targets",
        "offline/evaluation/page_metrics.py",
        "np.unique(np.array([queries.pages, queries.wanted], np.int64), axis=1)",
        "np.array([queries.pages, queries.wanted], np.int64)",
        ("test_an_item_that_a_page_wants_twice_is_one_target",),
    ),
    Fault(
        "a note of a replay that can't be written ends it",
        NOTES,
        "except OSError as error:",
        "except ZeroDivisionError as error:",
        ("test_one_that_can_not_be_written_is_said_once_and_the_next_one_counts",),
    ),
    Fault(
        "a Redis that hangs stops a replay",
        NOTES,
        "await asyncio.to_thread(put_mark, self._marked, self._offset)",
        "put_mark(self._marked, self._offset)",
        ("test_a_redis_that_hangs_holds_up_notes_alone",),
    ),
    Fault(
        "acts that name no compared list push out those that do",
        OUTCOMES,
        "in self.acts.lists and not self._is_open(name)",
        "in self.acts.lists",
        ("test_acts_that_name_no_compared_list_push_out_none_that_do",),
    ),
    Fault(
        "the judge counts what was undone",
        OUTCOMES,
        "            self.acts.take_back(user, event.target)\n",
        "            pass\n",
        ("test_a_list_has_what_its_own_user_liked_and_has_not_taken_back",),
    ),
    Fault(
        "whoever names a list likes what is on it",
        "online/recommend/interleaving_outcomes.py",
        "shown.user != event.outer_user or ",
        "",
        ("test_a_list_has_what_its_own_user_liked_and_has_not_taken_back",),
    ),
    Fault(
        "acts on what a list does not show are remembered",
        "online/recommend/interleaving_outcomes.py",
        " or event.item_id not in shown.teams",
        "",
        ("test_remembered_acts_are_bounded_and_the_oldest_list_is_settled_for_them",),
    ),
    Fault(
        "acts on one item are remembered without end",
        "features/statistics/likes.py",
        "if len(acts) > ACTS_OF_ITEM:",
        "if False:",
        ("test_an_item_has_its_newest_acts_and_a_list_as_many_items_as_one_may_show",),
    ),
    Fault(
        "an undo goes through all lists of its user",
        "features/statistics/likes.py",
        "self.known.get((user, event_id))",
        "next((a for n, of in self.lists.items() if n[0] == user for a in of.values() if event_id in a), None)",
        (
            "test_an_undo_costs_the_same_however_many_lists_its_user_has",
            "test_an_undo_costs_the_same_however_many_lists_its_user_has_acted_on",
        ),
    ),
    Fault(
        "acts on lists that are made up have no bound in the judge",
        OUTCOMES,
        "(len(self.unclaimed) > MAX_OPEN or len(self.acts) > self.max_acts)",
        "len(self.unclaimed) > MAX_OPEN",
        ("test_acts_are_bounded_and_those_on_open_lists_stay_longer",),
    ),
    Fault(
        "the gains of ranks are added up as they come",
        OUTCOMES,
        "for rank in sorted(set(ranks)) if",
        "for rank in ranks if",
        ("test_what_is_liked_is_ranked_alike_in_whatever_order_it_comes",),
    ),
)
