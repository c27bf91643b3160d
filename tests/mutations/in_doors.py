"""Faults at the API's door: who may call, what is held of a caller, and for how long."""

from typing import Final

from tests.mutations.fault import Fault

ACCESS: Final = "online/access/access.py"
GUARD: Final = "online/access/access_guard.py"
KEYS: Final = "online/access/api_keys.py"
LIMITS: Final = "online/access/rate_limits.py"

STREAM: Final = "online/routes/stream.py"
CONNECTIONS: Final = "features/http_connections.py"
SHEDDING: Final = "online/http/load_shedding.py"

FAULTS: Final = (
    Fault(
        "a caller that has sent all gets its answer without the end",
        CONNECTIONS,
        "        self._writes.flush()",
        "        pass",
        ("test_who_has_sent_all_and_says_so_still_gets_the_whole_answer",),
    ),
    Fault(
        "an idle connection is closed just as its caller uses it again",
        CONNECTIONS,
        "    def timeout_keep_alive_handler(self)",
        "    def when_idle(self)",
        ("test_an_idle_connection_is_the_tables_to_close",),
    ),
    Fault(
        "a stream does not hear that its caller is gone who has sent one more request",
        CONNECTIONS,
        "            cycle.message_event.set()\n",
        "            pass\n",
        ("test_a_request_hears_that_its_caller_is_gone_whatever_was_sent_behind_it",),
    ),
    Fault(
        "the head of a stream waits for its first event",
        CONNECTIONS,
        "            self._loop.call_soon(self.flush)\n",
        "",
        ("test_a_head_and_its_body_go_out_as_one_and_a_head_alone_at_once",),
    ),
    Fault(
        "revoking the last key opens an API that other machines reach",
        ACCESS,
        "        return True\n",
        "        return bool(self.keys)\n",
        ("test_what_other_machines_reach_is_closed_once_its_last_key_is_revoked",),
    ),
    Fault(
        "an API that other machines reach is open where no file is named",
        "online/app.py",
        "(read_keyed_access, CLOSED)",
        "(read_keyed_access, OPEN)",
        ("test_without_a_file_what_other_machines_reach_is_closed",),
    ),
    Fault(
        "what is wrong with settings in use is told nobody",
        "online/support/reloadable_file.py",
        "if (doubt := self._doubt(self.value)) is None:",
        "if (doubt := None) is None:",
        ("test_what_is_doubtful_is_in_use_and_told",),
    ),
    Fault(
        "a stream goes on pushing after its key is revoked",
        STREAM,
        "                _check_key(server, request)\n                updated.clear()",
        "                updated.clear()",
        ("test_a_stream_ends_when_its_key_is_revoked",),
    ),
    Fault(
        "a silent stream stays open after its key is revoked",
        STREAM,
        "                    _check_key(server, request)\n                    yield",
        "                    yield",
        ("test_a_stream_ends_when_its_key_is_revoked",),
    ),
    Fault(
        "a burst opens more streams than the limit",
        SHEDDING,
        "if self.taken >= self._limit:",
        "if False:",
        ("test_a_burst_opens_no_more_streams_than_the_limit",),
    ),
    Fault(
        "a stream's slot is given back by those alone that end in order",
        SHEDDING,
        "        try:\n            yield\n        finally:\n            self.taken -= 1\n            metrics.STREAMS.dec()",
        "        yield\n        self.taken -= 1\n        metrics.STREAMS.dec()",
        ("test_a_stream_that_ends_before_its_response_begins_leaves_its_slot",),
    ),
    Fault(
        "a head has no limit",
        CONNECTIONS,
        "            if not part:\n                self._table.refuse(self)\n                return\n",
        "            if not part:\n                part, data = data[:MAX_HEAD], data[MAX_HEAD:]\n",
        ("test_a_head_beyond_the_limit_closes_its_connection",),
    ),
    Fault(
        "what comes after a body counts for the next head",
        CONNECTIONS,
        "        self._room = MAX_HEAD\n        super().on_message_complete()",
        "        super().on_message_complete()",
        ("test_what_comes_after_a_body_or_between_its_parts_has_the_limit_too",),
    ),
    Fault(
        "a body counts as head",
        CONNECTIONS,
        "        self._room = MAX_HEAD\n        super().on_body(body)",
        "        super().on_body(body)",
        ("test_the_limit_holds_for_each_request_of_a_connection",),
    ),
    Fault(
        "what comes after a body has no limit",
        CONNECTIONS,
        "            self._room -= len(data)  # before",
        "            self._room -= self.headers is None and len(data)  # before",
        ("test_what_comes_after_a_body_or_between_its_parts_has_the_limit_too",),
    ),
    Fault(
        "the end of a head leaves no room for a body",
        CONNECTIONS,
        "        self._room = MAX_HEAD\n        self._table.begun(self)",
        "        self._table.begun(self)",
        ("test_the_limit_holds_for_each_request_of_a_connection",),
    ),
    Fault(
        "a part of a key is enough",
        KEYS,
        "if hmac.compare_digest(stored, given):",
        "if given.startswith(stored[:12]):",
        ("test_a_part_of_a_digest_is_nobodys_key",),
    ),
    Fault(
        "who knows the digest has the key",
        KEYS,
        "HASHED + hashlib.sha256(key.encode()).hexdigest(), None",
        "hashed(key), None",
        ("test_a_key_is_stored_by_its_digest_which_is_no_key",),
    ),
    Fault(
        "a role may do what the one after it may",
        KEYS,
        "ROLES.index(role) >= ROLES.index(needed)",
        "ROLES.index(role) + 1 >= ROLES.index(needed)",
        ("test_a_role_may_do_what_the_one_before_it_may",),
    ),
    Fault(
        "a key without a role is an operator's",
        ACCESS,
        'PLAIN_ROLE: Final[Role] = "write"',
        'PLAIN_ROLE: Final[Role] = "admin"',
        ("test_a_role_may_do_what_the_one_before_it_may",),
    ),
    Fault(
        "what writes asks for no more than what reads",
        KEYS,
        'else "write"',
        'else "read"',
        ("test_a_role_may_do_what_the_one_before_it_may",),
    ),
    Fault(
        "who was silent may call without limit",
        LIMITS,
        "min(float(limit.burst), tokens + (now - then) * limit.per_second)",
        "tokens + (now - then) * limit.per_second",
        ("test_who_was_silent_for_long_has_one_burst_and_no_more",),
    ),
    Fault(
        "a limit that is raised holds once the bucket of before is full",
        LIMITS,
        "math.min(tonumber(redis.call('GET', KEYS[1]) or '0'), time + burst / rate)",
        "tonumber(redis.call('GET', KEYS[1]) or '0')",
        ("test_a_limit_that_is_raised_holds_at_once",),
    ),
    Fault(
        "each process limits by itself",
        LIMITS,
        "if self._breaker.allow():",
        "if False:",
        ("test_two_processes_share_the_limit_of_a_key",),
    ),
    Fault(
        "calls wait for a Redis that stands still",
        LIMITS,
        "self._breaker.record_failure(began)",
        "pass",
        ("test_without_redis_each_process_limits_by_itself_and_nobody_waits_long",),
    ),
    Fault(
        "all addresses share one limit",
        GUARD,
        'client[0] if client else ""',
        '""',
        ("test_without_keys_each_address_has_a_limit_of_its_own",),
    ),
    Fault(
        "any admin key will do",
        GUARD,
        "    if caller is None:\n        raise Problem(403",
        "    if caller is None and needed != 'admin':\n        raise Problem(403",
        ("test_an_operator_has_a_key_of_its_own",),
    ),
    Fault(
        "health needs a key",
        GUARD,
        ' or not scope["path"].startswith(API)',
        "",
        ("test_with_keys_one_of_them_must_come",),
    ),
    Fault(
        "every site may call",
        GUARD,
        'not ("*" in access.origins or origin in access.origins)',
        "not access.origins",
        ("test_pages_of_named_origins_alone_may_call",),
    ),
    Fault(
        "who waited in vain stays in the queue",
        SHEDDING,
        ("            self._waiting -= 1\n"),
        ("            pass\n"),
        ("test_waits_that_were_in_vain_leave_no_trace_in_the_queue",),
    ),
    Fault(
        "events that wait for Kafka take all the room",
        SHEDDING,
        "(self._limited if is_write else self._app)",
        "self._app",
        ("test_events_that_wait_for_kafka_leave_room_for_lists",),
    ),
    Fault(
        "lists for many fill all the room",
        SHEDDING,
        "self._background = asyncio.Semaphore(background)",
        "self._background = asyncio.Semaphore(concurrent)",
        ("test_lists_that_may_wait_leave_room_for_those_that_may_not",),
    ),
    Fault(
        "a full queue is no reason to refuse",
        SHEDDING,
        "return self._waiting >= self._max_waiting",
        "return False",
        ("test_beyond_the_queue_a_list_is_refused_before_it_is_read",),
    ),
)
