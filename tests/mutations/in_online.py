"""Faults of the API around its lists."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a timeout counts our own lateness",
        "online/support/deadline.py",
        "GRACE_TICKS: Final = 3",
        "GRACE_TICKS: Final = 0",
        ("test_an_answer_that_came_while_the_loop_was_busy_is_taken",),
    ),
    Fault(
        "failures side by side count each",
        "online/support/circuit_breaker.py",
        ("        if began < self._counted:\n            return\n"),
        "",
        ("test_calls_that_fail_side_by_side_are_one_failure",),
    ),
    Fault(
        "after a rest all ask at once",
        "online/support/circuit_breaker.py",
        (
            "        if self._failures >= self._max_failures:\n"
            "            self._open_until = self._clock() + self._rest\n"
            "        return True"
        ),
        "        return True",
        ("test_after_a_rest_one_asks_for_all",),
    ),
    Fault(
        "an answer from before the failure closes the breaker",
        "online/support/circuit_breaker.py",
        ("        if began >= self._counted:\n            self._failures"),
        ("        if True:\n            self._failures"),
        ("test_an_answer_to_a_call_from_before_the_failure_says_nothing",),
    ),
    Fault(
        "a breaker never opens",
        "online/support/circuit_breaker.py",
        "            self._open_until = self._counted + self._rest",
        "            pass",
        ("test_it_opens_after_so_many_failures_and_closes_after_a_rest",),
    ),
    Fault(
        "a hundred users get no token",
        "online/http/seen_token.py",
        "if len(offsets) > MAX_USERS:",
        "if len(offsets) >= MAX_USERS:",
        ("test_a_token_may_name_a_hundred_users_and_a_forged_one_no_more",),
    ),
    Fault(
        "a forged token may name any number of users",
        "online/http/seen_token.py",
        "if len(pairs) > MAX_USERS or any(",
        "if any(",
        ("test_a_token_may_name_a_hundred_users_and_a_forged_one_no_more",),
    ),
    Fault(
        "a part of a key is enough",
        "online/http/access.py",
        "if hmac.compare_digest(each.encode(), key.encode()):",
        "if each.encode().startswith(key.encode()):",
        ("test_with_keys_one_of_them_must_come",),
    ),
    Fault(
        "who was silent may call without limit",
        "online/http/access.py",
        "min(float(limit.burst), tokens + (now - then) * limit.per_second)",
        "tokens + (now - then) * limit.per_second",
        ("test_who_was_silent_for_long_has_one_burst_and_no_more",),
    ),
    Fault(
        "all addresses share one limit",
        "online/http/access.py",
        "caller = f\"address {client[0] if client else ''}\"",
        'caller = "address"',
        ("test_without_keys_each_address_has_a_limit_of_its_own",),
    ),
    Fault(
        "any admin key will do",
        "online/http/access.py",
        "    if not hmac.compare_digest(wanted.encode(), given.encode()):",
        "    if not given:",
        ("test_an_operator_has_a_key_of_its_own",),
    ),
    Fault(
        "health needs a key",
        "online/http/access.py",
        'not scope["path"].startswith("/v1/") or',
        "",
        ("test_with_keys_one_of_them_must_come",),
    ),
    Fault(
        "every site may call",
        "online/http/access.py",
        'not ("*" in access.origins or origin in access.origins)',
        "not access.origins",
        ("test_pages_of_named_origins_alone_may_call",),
    ),
    Fault(
        "who waited in vain stays in the queue",
        "online/http/load_shedding.py",
        ("            self._waiting -= waits\n"),
        ("            pass\n"),
        ("test_waits_that_were_in_vain_leave_no_trace_in_the_queue",),
    ),
    Fault(
        "lists for many fill all the room",
        "online/http/load_shedding.py",
        "self._background = asyncio.Semaphore(background)",
        "self._background = asyncio.Semaphore(concurrent)",
        ("test_lists_that_may_wait_leave_room_for_those_that_may_not",),
    ),
    Fault(
        "a full queue is no reason to refuse",
        "online/http/load_shedding.py",
        "return self._waiting >= self._max_waiting",
        "return False",
        ("test_beyond_the_queue_a_list_is_refused_before_it_is_read",),
    ),
    Fault(
        "a token is fulfilled by a generation before",
        "online/stores/user_store.py",
        "_number(generation) != self._generation or ",
        "",
        ("test_a_token_is_fulfilled_by_its_own_generation_once_the_log_is_read_that_far",),
    ),
    Fault(
        "a token is fulfilled one record early",
        "online/stores/user_store.py",
        "_number(n) < offset",
        "_number(n) + 1 < offset",
        ("test_a_token_is_fulfilled_by_its_own_generation_once_the_log_is_read_that_far",),
    ),
    Fault(
        "the time it took is told as none",
        "online/stores/user_store.py",
        "max(0, int(applied or 0) - broker_ts) if broker_ts else None",
        "0 if broker_ts else None",
        ("test_it_is_told_how_long_the_newest_event_took",),
    ),
    Fault(
        "a wrong settings file resets what holds",
        "online/support/reloadable_file.py",
        '        reported, self.error = self.error, f"{self._path}: {error}"',
        ('        self.value = self._default\n        reported, self.error = self.error, f"{self._path}: {error}"'),
        ("test_settings_follow_their_file_and_survive_a_bad_one",),
    ),
    Fault(
        "the clock is behind the marks of replays",
        "online/support/home_clock.py",
        "return elapsed if self._marked is None else max(elapsed, wall + self._marked)",
        "return elapsed",
        ("test_the_clock_goes_on_from_the_cut_and_the_marks_of_replays_move_it_on",),
    ),
    Fault(
        "a page repeats the last item",
        "online/stores/catalogue_search.py",
        "(ids > after.item_id))",
        "(ids >= after.item_id))",
        ("test_pages_together_are_the_whole_in_the_same_order",),
    ),
    Fault(
        "a decade has eleven years",
        "online/stores/catalogue_search.py",
        "(columns.years[:size] < wanted.decade + 10)",
        "(columns.years[:size] <= wanted.decade + 10)",
        ("test_a_page_is_of_one_genre_and_decade",),
    ),
    Fault(
        "a list counts as acted on at each event",
        "online/recommend/experiment_outcomes.py",
        ("                counted.add(outcome)\n"),
        "",
        ("test_a_list_counts_once_an_outcome",),
    ),
    Fault(
        "impressions count as acted on",
        "online/recommend/experiment_outcomes.py",
        " or not is_act(event.kind)",
        "",
        ("test_a_list_counts_once_an_outcome",),
    ),
)
