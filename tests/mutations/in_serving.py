"""Faults of the API under load and of what it depends on: connections, waits, the model server's answers, what is logged."""

from tests.mutations.fault import Fault

CONNECTIONS = "features/http_connections.py"
LIVE_MODELS = "online/model_client/live_models.py"
LOGGED = "offline/training_data/logged_lists.py"

FAULTS = (
    Fault(
        "silent connections stay for ever",
        CONNECTIONS,
        "until = self._clock() - self._silence",
        "until = 0 * self._clock() - 1",
        ("test_silence_counts_from_the_last_response",),
    ),
    Fault(
        "connections beyond the limit are held",
        CONNECTIONS,
        "if len(self) > self._limit:",
        "if False:",
        ("test_silent_connections_beyond_the_limit_stop_nobody",),
    ),
    Fault(
        "the newest idle connection makes room",
        CONNECTIONS,
        'self._close(next(iter(self._idle)), "room" if',
        'self._close(next(reversed(self._idle)), "room" if',
        ("test_the_oldest_idle_connection_makes_room",),
    ),
    Fault(
        "requests in progress are not limited",
        CONNECTIONS,
        "if self._in_progress >= self._limit and",
        "if False and",
        ("test_requests_beyond_the_limit_are_refused_but_for_one_path",),
    ),
    Fault(
        "a refused version is checked at each poll",
        LIVE_MODELS,
        "if self._refused_files.get(key) == stamp:",
        "if False:",
        ("test_a_refused_version_waits_for_its_files_to_change",),
    ),
    Fault(
        "a version without an answer waits for its files",
        LIVE_MODELS,
        "isinstance(error, Refused) and not isinstance(error, Overloaded)",
        "True",
        ("test_a_version_without_an_answer_is_checked_at_each_poll",),
    ),
    Fault(
        "what the server says of one call opens the breaker",
        "online/model_client/grpc_transport.py",
        "kind = _ERRORS.get(error.code(), Refused)",
        "kind = _ERRORS.get(error.code(), Unavailable)",
        ("test_what_the_server_itself_says_over_grpc_opens_no_breaker",),
    ),
    Fault(
        "a cancelled probe keeps the breaker open",
        "online/support/circuit_breaker.py",
        "            self._open_until = 0.0\n",
        "            pass\n",
        ("test_a_probe_without_an_outcome_leaves_the_probing_to_the_next_call",),
    ),
    Fault(
        "waits for seen are not limited",
        "online/stores/seen_waits.py",
        "if self._waiting >= self._limit:",
        "if False:",
        ("test_a_wait_that_does_not_come_true_ends_and_those_beyond_the_limit_do_not_begin",),
    ),
    Fault(
        "waits for seen poll instead of being notified",
        "online/stores/seen_waits.py",
        "BACKSTOP: Final = 0.05",
        "BACKSTOP: Final = 0.0005",
        ("test_a_wait_ends_with_the_notice_that_the_features_are_there",),
    ),
    Fault(
        "an emptied Redis is live",
        "online/stores/user_store.py",
        "if loaded is None or int(loaded) != self._generation:",
        "if False:",
        ("test_a_redis_that_was_emptied_knows_no_users",),
    ),
    Fault(
        "items are fresh while Redis stands still",
        "online/stores/item_follower.py",
        "self.fresh = await self._answers()",
        "await self._answers()",
        ("test_while_redis_stands_still_items_are_not_fresh",),
    ),
    Fault(
        "a bug is not counted",
        "online/http/instrumentation.py",
        "await bug_response()(scope, receive, sending)",
        "await bug_response()(scope, receive, send)",
        ("test_a_bug_is_counted_and_answered_like_any_other_error",),
    ),
    Fault(
        "siblings of a failed list go on",
        "online/routes/recommendations.py",
        "async with asyncio.TaskGroup() as group:\n            yield group",
        "yield asyncio",
        ("test_the_first_failed_list_of_many_ends_its_siblings",),
    ),
    Fault(
        "repeated work ends with its first error",
        "online/support/repeated.py",
        "except Exception:",
        "except OSError:",
        ("test_an_error_ends_one_round_alone",),
    ),
    Fault(
        "lists of a forgotten user are learned from",
        LOGGED,
        "yield FORGOTTEN if record.offset < forgotten.get(sample.user_id, -1) else sample",
        "yield sample",
        ("test_nothing_is_learned_of_a_user_before_the_wish_to_be_forgotten",),
    ),
    Fault(
        "a sample that came twice teaches twice",
        LOGGED,
        "or sample.request_id in known:",
        "or False:",
        ("test_each_sample_comes_once_with_its_list",),
    ),
    Fault(
        "whole lists of before are not found",
        LOGGED,
        "return (SERVED, sample.served) if sample.shown is None else",
        "return (SHOWN, sample.served) if sample.shown is None else",
        ("test_lists_of_before_are_in_the_sample_or_in_served",),
    ),
    Fault(
        "a column is read at its type's neighbour",
        "features/contracts/shown_lists.py",
        "return np.frombuffer(column.data, column.kind)",
        'return np.frombuffer(column.data, column.kind.replace("<", ">"))',
        ("test_golden_bytes",),
    ),
)
