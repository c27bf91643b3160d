"""Faults at the API's door: who may call, what is held of a caller, and for how long."""

from typing import Final

from tests.mutations.fault import Fault

ACCESS: Final = "online/access/access.py"

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
)
