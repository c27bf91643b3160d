"""Faults of the item operator, and of what writes to Redis."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a lane of items holds co-visits without bound",
        "streaming/operators/item_operator.py",
        " or lane.row_count >= self._pending_rows:",
        ":",
        ("test_a_lane_with_many_items_is_flushed_before_its_time",),
    ),
    Fault(
        "what waited in its lane makes the lane wait longer",
        "streaming/operators/item_operator.py",
        "lane.behind)",
        "self._time.wall_ms() / 1000)",
        ("test_what_waited_in_its_lane_is_no_sign_of_a_stream_that_is_behind",),
    ),
    Fault(
        "an impression that is taken back is one more",
        "streaming/operators/item_deltas.py",
        "are_shown = (rows[:, KIND] == IMPRESSION) & (rows[:, SIGN] > 0)",
        "are_shown = rows[:, KIND] == IMPRESSION",
        (
            "test_an_impression_that_is_an_event_is_one_more_and_taken_back_it_is_an_event",
            "test_merged_and_lost_and_sent_again_items_end_as_the_fold_of_single_impressions",
        ),
    ),
    Fault(
        "an item that was only shown has no name",
        "streaming/operators/item_operator.py",
        "            self._items.kernel.rename(row, name)",
        "            self._items.kernel.rename(row, name if len(delta.events) else item_id)",
        ("test_merged_and_lost_and_sent_again_items_end_as_the_fold_of_single_impressions",),
    ),
    Fault(
        "what an item is shown first waits as if it had been there",
        "features/kernel/items/item_feature_rows.py",
        "        if item.n == 0:\n            item.acted = 1\n            acted += 1\n        if item.n == 0 or impr",
        "        if item.n == 0 or impr",
        ("test_the_first_impression_of_an_item_does_not_wait",),
    ),
    Fault(
        "kept deltas are not folded after a crash",
        "streaming/operators/item_operator.py",
        ("            for data in self._deltas.get():\n                self._fold(lane, data)\n"),
        "",
        ("test_deltas_kept_in_state_are_folded_again_after_a_crash",),
    ),
    Fault(
        "kept deltas are folded twice",
        "streaming/operators/item_operator.py",
        ("        self._deltas.clear()\n"),
        "",
        ("test_deltas_kept_in_state_are_folded_again_after_a_crash",),
    ),
    Fault(
        "items that were unsent are not written after a crash",
        "streaming/operators/item_operator.py",
        "lane.keys.put(self._writer, writes.keys() | {item_key(item_id) for item_id in lane.held})",
        "lane.keys.put(self._writer, {item_key(item_id) for item_id in lane.held})",
        ("test_after_a_crash_what_redis_had_not_acknowledged_is_written_by_a_timer_alone",),
    ),
    Fault(
        "a kept delta has no timer",
        "streaming/operators/item_operator.py",
        "            set_timer(ctx, self._time.wall_ms() + 1 + int((lane.due - now) * 1000))",
        "            pass",
        ("test_a_kept_delta_is_written_without_another_record",),
    ),
    Fault(
        "a shown item is written at once",
        "streaming/operators/item_operator.py",
        "if all_due := began >= lane.impressions_due:",
        "if all_due := True:",
        ("test_what_was_only_shown_waits_though_others_are_acted_on",),
    ),
    Fault(
        "impressions that wait are lost in a crash",
        "streaming/operators/item_operator.py",
        "lane.keys.put(self._writer, writes.keys() | {item_key(item_id) for item_id in lane.held})",
        "lane.keys.put(self._writer, writes.keys())",
        ("test_impressions_that_wait_are_written_after_a_crash",),
    ),
    Fault(
        "an act leaves the impressions of its item behind",
        "streaming/operators/item_operator.py",
        "        acted = kernel.take_acted(rows)\n",
        "        acted = kernel.take_acted(rows) & ~np.isin(kernel.table.items[rows], list(lane.held))\n",
        ("test_an_act_takes_the_impressions_of_its_item_along",),
    ),
    Fault(
        "items wait for longer than the stream is behind",
        "streaming/operators/item_operator.py",
        "longest = max(LONGEST, min(BEHIND, behind))",
        "longest = max(LONGEST, behind)",
        ("test_pauses_grow_with_the_work_and_with_what_waits",),
    ),
    Fault(
        "a full buffer does not wait for Redis",
        "streaming/redis_sink/redis_writer.py",
        "        if len(self._waiting) >= BUFFER_KEYS:",
        "        if len(self._waiting) >= 1000 * BUFFER_KEYS:",
        ("test_with_a_full_buffer_the_operator_waits_for_redis",),
    ),
    Fault(
        "a full buffer waits for ever",
        "streaming/redis_sink/redis_writer.py",
        " or now - began >= FULL_TIMEOUT:",
        ":",
        ("test_a_cancelled_task_waits_for_nothing", "test_redis_away_for_minutes_costs_restarts_and_nothing_else"),
    ),
    Fault(
        "a cancelled task waits on",
        "streaming/redis_sink/redis_writer.py",
        "if self._is_cancelled() or now",
        "if now",
        ("test_a_cancelled_task_waits_for_nothing",),
    ),
    Fault(
        "after a failure older writes come behind newer",
        "streaming/redis_sink/redis_writer.py",
        (
            "        for batch in pipe.fail(self._time.monotonic(), error):\n"
            "            self._buffer(batch.writes)\n"
            "        self._buffer(later)\n"
        ),
        (
            "        self._buffer(later)\n"
            "        for batch in pipe.fail(self._time.monotonic(), error):\n"
            "            self._buffer(batch.writes)\n"
        ),
        ("test_after_a_failure_the_newest_of_a_key_counts",),
    ),
    Fault(
        "what was in flight is lost with its connection",
        "streaming/redis_sink/redis_writer.py",
        ("        for batch in pipe.fail(self._time.monotonic(), error):\n            self._buffer(batch.writes)\n"),
        "        pipe.fail(self._time.monotonic(), error)\n",
        ("test_what_was_in_flight_when_the_connection_broke_waits_again",),
    ),
    Fault(
        "what says nothing of freshness is counted",
        "streaming/redis_sink/redis_writer.py",
        ("            if write.broker_ts:\n"),
        ("            if True:\n"),
        ("test_a_write_that_says_nothing_of_freshness_is_not_counted",),
    ),
    Fault(
        "all batches are in flight at once",
        "streaming/redis_sink/redis_writer.py",
        "while len(pipe.in_flight) >= IN_FLIGHT:",
        "while len(pipe.in_flight) >= 100 * IN_FLIGHT:",
        ("test_few_batches_are_on_their_way_at_once_and_the_rest_is_known_to_be_there",),
    ),
    Fault(
        "of two writes the earlier seen set is lost",
        "streaming/redis_sink/redis_commands.py",
        "earlier.seen | self.seen, earlier.whole",
        "self.seen, earlier.whole",
        (
            "test_after_a_failure_the_newest_of_a_key_counts",
            "test_what_a_redis_that_died_had_not_acknowledged_goes_to_the_next",
        ),
    ),
    Fault(
        "a whole write adds to what is there",
        "streaming/redis_sink/redis_commands.py",
        "mode = REPLACE if self.whole else CHANGE",
        "mode = CHANGE",
        ("test_a_users_whole_write_replaces_the_seen_set",),
    ),
)
