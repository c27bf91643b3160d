"""Faults of the job's operators and of their writer."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a user's offset is one too small",
        "streaming/operators/user_operator.py",
        "user.n, user.broker_ts = record.offset + 1, record.broker_ts",
        "user.n, user.broker_ts = record.offset, record.broker_ts",
        ("test_a_record_that_can_not_be_read_ends_the_wait_for_it",),
    ),
    Fault(
        "a lane's offset is one too small",
        "streaming/operators/user_operator.py",
        ("                stored.n = record.offset + 1\n"),
        ("                stored.n = record.offset\n"),
        ("test_a_good_event_under_another_key_is_sent_on_and_touches_nobody",),
    ),
    Fault(
        "a reject moves nobody",
        "streaming/operators/user_operator.py",
        ("            if user_id is not None:\n                self._user(user_id, record, changed)\n"),
        "",
        ("test_a_record_that_can_not_be_read_ends_the_wait_for_it",),
    ),
    Fault(
        "what was unsent is forgotten at the next batch",
        "streaming/operators/user_operator.py",
        "sent = self._writer.unsent(lane.unsent) | writes.keys()",
        "lane.unsent = set(writes)",
        ("test_after_a_crash_what_redis_had_not_acknowledged_is_written_by_a_timer_alone",),
    ),
    Fault(
        "users that were unsent are not written after a crash",
        "streaming/operators/user_operator.py",
        "self._writer.put({user_key(user_id): write for user_id, write in again.items()} | self._numbers(lane))",
        "self._writer.put(self._numbers(lane))",
        ("test_after_a_crash_what_redis_had_not_acknowledged_is_written_by_a_timer_alone",),
    ),
    Fault(
        "the watermark goes back",
        "streaming/operators/user_operator.py",
        "max(lane.stored.watermark, event.ts)",
        "event.ts",
        ("test_the_watermark_never_goes_back",),
    ),
    Fault(
        "contributions wait for ever",
        "streaming/operators/user_operator.py",
        "if now >= lane.due or stored.waiting >= SETTLE_AT:",
        "if now >= lane.due:",
        ("test_many_contributions_do_not_wait",),
    ),
    Fault(
        "what gathers has no timer",
        "streaming/operators/user_operator.py",
        "            set_timer(ctx, self._time.wall_ms() + 1 + int((lane.due - now) * 1000))",
        "            pass",
        ("test_what_a_lane_says_to_items_gathers_for_a_moment",),
    ),
    Fault(
        "pending contributions are not kept",
        "streaming/operators/user_operator.py",
        "stored.pending, stored.shown = [], []",
        "stored.shown = []",
        ("test_what_a_lane_says_to_items_gathers_for_a_moment",),
    ),
    Fault(
        "lists that have gone to items stay in their lane",
        "streaming/operators/user_operator.py",
        "stored.pending, stored.shown = [], []",
        "stored.pending = []",
        ("test_lists_that_wait_in_their_lane_are_counted_once_after_a_crash",),
    ),
    Fault(
        "lists that wait in their lane have no moment at which they go",
        "streaming/operators/user_operator.py",
        "self.waits = stored.waiting > 0",
        "self.waits = bool(stored.pending)",
        ("test_lists_that_wait_in_their_lane_are_counted_once_after_a_crash",),
    ),
    Fault(
        "an impression that is taken back is one more",
        "streaming/operators/item_deltas.py",
        "if contribution.kind == IMPRESSION and contribution.sign > 0:",
        "if contribution.kind == IMPRESSION:",
        (
            "test_an_impression_that_is_an_event_is_one_more_and_taken_back_it_is_an_event",
            "test_merged_and_lost_and_sent_again_items_end_as_the_fold_of_single_impressions",
        ),
    ),
    Fault(
        "an item that was only shown has no name",
        "streaming/operators/item_operator.py",
        "            lane.items[item_id].state.item_id = name",
        "            lane.items[item_id].state.item_id = name if delta.events else item_id",
        ("test_merged_and_lost_and_sent_again_items_end_as_the_fold_of_single_impressions",),
    ),
    Fault(
        "what an item is shown first waits as if it had been there",
        "streaming/operators/item_operator.py",
        "            if not item.state.n:\n",
        "            if False:\n",
        ("test_the_first_impression_of_an_item_does_not_wait",),
    ),
    Fault(
        "an undone action stays in a sample",
        "streaming/operators/user_operator.py",
        "            self._lists.take_back(lane.lists, event.user_id, event.target)",
        "            pass",
        ("test_what_was_undone_is_in_no_sample_and_answers_without_a_list_are_none",),
    ),
    Fault(
        "a forgotten user's lists become samples",
        "streaming/operators/user_operator.py",
        "            self._lists.forget(lane.lists, event.user_id, user.state.memory.floor, record.broker_ts)",
        "            pass",
        ("test_what_was_shown_to_a_user_who_is_forgotten_leaves_no_sample",),
    ),
    Fault(
        "a list is open twice as long",
        "streaming/operators/user_operator.py",
        "1000 * settings.attribution",
        "2000 * settings.attribution",
        ("test_a_list_closes_when_the_lane_is_half_an_hour_on",),
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
        "lists of a silent lane are never closed",
        "streaming/operators/impression_join.py",
        "until = max(lane_ts, now - SILENCE_MS) if silent else lane_ts",
        "until = lane_ts",
        ("test_the_lists_of_a_silent_lane_are_closed_by_wall_time",),
    ),
    Fault(
        "an old log is closed by wall time",
        "streaming/operators/impression_join.py",
        "until = max(lane_ts, now - SILENCE_MS) if silent else lane_ts",
        "until = max(lane_ts, now - SILENCE_MS)",
        ("test_an_old_log_closes_no_list_by_wall_time_while_it_is_read",),
    ),
    Fault(
        "actions of a list are not bounded",
        "streaming/operators/impression_join.py",
        "if len(of_list.actions) < MAX_ACTIONS:",
        "if True:",
        ("test_a_list_keeps_no_more_actions_than_its_bound",),
    ),
    Fault(
        "a closed list's actions stay in the state",
        "streaming/operators/impression_join.py",
        "            lane.acting.pop(user_id, None)\n            self._acted.remove(user_id)",
        "            lane.acting.pop(user_id, None)",
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
        "lists are closed by the topic that is ahead",
        "streaming/operators/user_operator.py",
        "return min(moving, default=self.stored.broker_ts)",
        "return self.stored.broker_ts",
        ("test_while_both_topics_move_the_one_behind_closes_lists",),
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
        "sent = self._writer.unsent(lane.unsent) | writes.keys()",
        "sent = self._writer.unsent(lane.unsent)",
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
        "lane.unsent = sent | {item_key(item_id) for item_id in lane.held}",
        "lane.unsent = sent",
        ("test_impressions_that_wait_are_written_after_a_crash",),
    ),
    Fault(
        "an act leaves the impressions of its item behind",
        "streaming/operators/item_operator.py",
        "for item_id in lane.acted:",
        "for item_id in lane.acted - lane.held:",
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
        "while len(self._waiting) >= BUFFER_KEYS:",
        "while len(self._waiting) >= 1000 * BUFFER_KEYS:",
        ("test_with_a_full_buffer_the_operator_waits_for_redis",),
    ),
    Fault(
        "after a failure older writes come behind newer",
        "streaming/redis_sink/redis_writer.py",
        (
            "        for writes, _ in self._in_flight:\n"
            "            self._buffer(writes)\n"
            "        self._in_flight.clear()\n"
            "        self._buffer(later)\n"
        ),
        (
            "        self._buffer(later)\n"
            "        for writes, _ in self._in_flight:\n"
            "            self._buffer(writes)\n"
            "        self._in_flight.clear()\n"
        ),
        ("test_after_a_failure_the_newest_of_a_key_counts",),
    ),
    Fault(
        "what was in flight is lost with its connection",
        "streaming/redis_sink/redis_writer.py",
        (
            "        for writes, _ in self._in_flight:\n            self._buffer(writes)\n        self._in_flight.clear()"
        ),
        "        self._in_flight.clear()",
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
        "while len(self._in_flight) >= IN_FLIGHT:",
        "while len(self._in_flight) >= 100 * IN_FLIGHT:",
        ("test_few_batches_are_on_their_way_at_once_and_the_rest_is_known_to_be_there",),
    ),
    Fault(
        "of two writes the earlier seen set is lost",
        "streaming/redis_sink/redis_commands.py",
        ("            self.seen = earlier.seen | self.seen\n"),
        "",
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
    Fault(
        "a journal's chunk is lost",
        "streaming/operators/user_cache.py",
        "            self._chunks.put_all(chunks)",
        "            pass",
        ("test_restarts_change_nothing",),
    ),
    Fault(
        "a stale copy of a user is used",
        "streaming/operators/user_cache.py",
        (
            "            self._cache.move_to_end(user_id)\n"
            "            return user\n"
            "        data = self._heads.get(user_id)"
        ),
        (
            "            self._cache.pop(user_id)\n"
            "            return self._from_base(user_id)\n"
            "        data = self._heads.get(user_id)"
        ),
        ("test_restarts_change_nothing",),
    ),
    Fault(
        "a missing key is an empty one",
        "streaming/batch_codec.py",
        "None if key == NO_KEY else key",
        'key.replace(NO_KEY, "")',
        ("test_a_missing_key_is_not_an_empty_one",),
    ),
    Fault(
        "a lane's items are spread by their id alone",
        "streaming/lanes.py",
        "item_id * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF",
        "item_id & 0xFFFFFFFFFFFFFFFF",
        ("test_items_spread_over_the_lanes_whatever_the_stride_of_their_ids",),
    ),
    Fault(
        "yesterday's state of a lane can't be read",
        "streaming/operators/stored_state.py",
        ("    samples: int = 0\n    unsent: list[str]"),
        ("    more: int = 0\n    samples: int = 0\n    unsent: list[str]"),
        ("test_yesterdays_bytes_are_read",),
    ),
)
