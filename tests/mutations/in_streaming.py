"""Faults of the user operator, its state and the job's source."""

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
        "records wait for others at any rate",
        "streaming/java/LaneBatcher.java",
        "(rate - CALM) * NS_FOR_EACH",
        "rate * NS_FOR_EACH",
        ("test_batches_wait_the_longer_the_more_records_come_and_each_lane_goes_on_once_in_that_time",),
    ),
    Fault(
        "a turn of lanes is one lane, however many they are",
        "streaming/java/LaneBatcher.java",
        "Math.min(lanes, (lanes * pause + waitsFor - 1) / waitsFor)",
        "1",
        ("test_batches_wait_the_longer_the_more_records_come_and_each_lane_goes_on_once_in_that_time",),
    ),
    Fault(
        "a lane's offset is one too small",
        "streaming/operators/user_lane.py",
        "            stored.n = record.offset + 1\n",
        "            stored.n = record.offset\n",
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
        "streaming/redis_sink/lane_keys.py",
        "writer.unsent(self.unsent).union(keys)",
        "set(keys)",
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
        "the watermark goes back by a batch",
        "streaming/operators/user_operator.py",
        "max(lane.stored.watermark, int(folded.contributions[:, TS].max()))",
        "int(folded.contributions[:, TS].max())",
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
        "contributions that have gone to items stay in their lane",
        "streaming/operators/stored_state.py",
        """        self.pending, self.names = b"", {}\n        return""",
        """        return""",
        ("test_what_a_lane_says_to_items_gathers_for_a_moment",),
    ),
    Fault(
        "lists that have gone to items stay in their lane",
        "streaming/operators/user_operator.py",
        "            stored.shown = []\n",
        "",
        ("test_lists_that_wait_in_their_lane_are_counted_once_after_a_crash",),
    ),
    Fault(
        "lists that wait in their lane have no moment at which they go",
        "streaming/operators/user_lane.py",
        "self.waits = stored.waiting > 0",
        "self.waits = bool(stored.pending)",
        ("test_lists_that_wait_in_their_lane_are_counted_once_after_a_crash",),
    ),
    Fault(
        "an undone action stays in a sample",
        "streaming/operators/served_lists.py",
        "            self._open.take_back(lane.lists, event.user_id, event.target)",
        "            pass",
        ("test_what_was_undone_is_in_no_sample_and_answers_without_a_list_are_none",),
    ),
    Fault(
        "a forgotten user's lists become samples",
        "streaming/operators/served_lists.py",
        "            self._open.forget(lane.lists, event.user_id, floor, broker_ts)",
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
        "lists of a silent lane are never closed",
        "streaming/operators/user_lane.py",
        "                self.read[topic] = at",
        "                pass",
        ("test_the_lists_of_a_silent_lane_are_closed_by_wall_time",),
    ),
    Fault(
        "a log that stands still is taken for one that was read",
        "streaming/operators/user_lane.py",
        "            if offset >= ends[topic, self.number]:",
        "            if offset or ends:",
        ("test_an_old_log_closes_no_list_by_wall_time_however_long_its_reading_stands_still",),
    ),
    Fault(
        "a topic that was read to its end is behind the other",
        "streaming/operators/user_lane.py",
        "return max(until, *self.read.values())",
        "return until",
        ("test_a_topic_that_was_read_to_its_end_holds_back_nothing",),
    ),
    Fault(
        "lists are closed by the topic that is ahead",
        "streaming/operators/user_lane.py",
        "return min(self.read.values())",
        "return self.stored.broker_ts",
        ("test_while_both_topics_move_the_one_behind_closes_lists",),
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
        "a user evicted before its turn is counted back by its growth alone",
        "streaming/operators/user_cache.py",
        "            evicted.weight = 0",
        "            pass",
        ("test_the_cache_holds_no_more_than_its_limit_though_a_batch_has_more_users",),
    ),
    Fault(
        "a record that comes again is folded again",
        "streaming/operators/user_lane.py",
        "        if record.offset < expected:",
        "        if record.offset < expected - 1:",
        ("test_a_record_behind_what_its_lane_has_read_stops_the_task_and_the_restart_orders_it",),
    ),
    Fault(
        "the order of lists is measured by that of events",
        "streaming/operators/user_lane.py",
        "expected = self.stored.n if record.topic == EVENTS_TOPIC else self.stored.s",
        "expected = self.stored.n",
        ("test_a_record_behind_what_its_lane_has_read_stops_the_task_and_the_restart_orders_it",),
    ),
    Fault(
        "a missing key is an empty one",
        "streaming/batch_codec.py",
        "None if key_length == _NO_KEY else batch",
        "batch",
        ("test_a_missing_key_is_not_an_empty_one",),
    ),
    Fault(
        "the source takes a missing key for an empty one",
        "streaming/java/RecordPacker.java",
        "record.key() == null ? -1 : key.length",
        "key.length",
        slow="test_any_bytes_come_through_in_order_and_exactly_once_whatever_crashes",
    ),
    Fault(
        "changed Java classes are not compiled again",
        "infra/flink/java_classes.py",
        ".encode() + content)",
        ".encode())",
        slow="test_a_second_start_compiles_nothing_and_changed_sources_are_compiled_again",
    ),
    Fault(
        "a lane's items are spread by their id alone",
        "streaming/lanes.py",
        "_FACTOR: Final = 0x9E3779B97F4A7C15",
        "_FACTOR: Final = 1",
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
