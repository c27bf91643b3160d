"""Faults of the model server: what requests hold, and what a changed configuration does; and one of the registry."""

from tests.mutations.fault import Fault

GRPC = "models/server/grpc_service.py"
INFERENCE = "models/server/engine/inference.py"
CONFIG_FILE = "models/server/config_file.py"
TENSORS = "models/server/engine/tensors.py"
THREADS = "models/server/engine/worker_threads.py"
REST = "models/server/rest.py"
WIRE = "models/server/engine/wire.py"
TEXT = "models/server/rest_json/text.py"
BODIES = "features/http_bodies.py"

FAULTS = (
    Fault(
        "a changed config that was refused once is never tried again",
        CONFIG_FILE,
        "        self._served = None\n        self._manager",
        "        self._served = wanted\n        self._manager",
        ("test_a_label_waits_for_its_version_and_the_version_before_answers",),
    ),
    Fault(
        "a staged version that another process takes ends a training",
        "models/registry/versions.py",
        "with suppress(FileNotFoundError):  # another process",
        "with suppress(ZeroDivisionError):  # another process",
        ("test_a_staged_version_that_another_process_takes_meanwhile_stops_nobody",),
    ),
    Fault(
        "a label can't move to a version of the same edit",
        CONFIG_FILE,
        "        self._manager.reload(self._manager.assignable(wanted))\n",
        "",
        ("test_a_label_moves_to_a_version_of_the_same_edit",),
    ),
    Fault(
        "what nobody thought of ends the reading of the config file",
        CONFIG_FILE,
        "        except Exception as error:\n",
        "        except ZeroDivisionError as error:\n",
        ("test_what_nobody_thought_of_is_tried_again",),
    ),
    Fault(
        "what is no input of the model is decoded",
        INFERENCE,
        "    _check_inputs(set(request.inputs), signature)\n",
        "",
        ("test_what_is_no_input_is_not_decoded",),
    ),
    Fault(
        "a request of a few bytes becomes as large as it says",
        TENSORS,
        "if size > MAX_INPUT_BYTES:",
        "if False:",
        ("test_inputs_together_may_be_so_large",),
    ),
    Fault(
        "large requests over gRPC are held without a bound",
        GRPC,
        "            body.hold(len(data))\n",
        "",
        ("test_large_requests_of_both_protocols_share_what_they_may_hold",),
    ),
    Fault(
        "two large requests are parsed, and held decoded, at once",
        THREADS,
        "            async with self._large:\n",
        "            if self._large:\n",
        ("test_large_requests_are_parsed_and_held_decoded_one_at_a_time_and_others_go_on_beside_them",),
    ),
    Fault(
        "small requests that become large are held parsed while they wait",
        THREADS,
        "            del parsed\n            return await self.run_in_background(lambda: work(parse()))\n",
        "            return await self.run_in_background(lambda: work(parsed))\n",
        (
            "test_a_small_request_that_becomes_large_waits_as_the_bytes_in_which_it_came",
            "test_calls_that_wait_take_the_bytes_in_which_they_came_though_parsed_they_are_many_times_as_large",
        ),
    ),
    Fault(
        "what large requests held is never given back",
        BODIES,
        "self._bodies.discard(body)",
        "pass",
        ("test_large_requests_of_both_protocols_share_what_they_may_hold", "test_what_is_refused_holds_nothing"),
    ),
    Fault(
        "a request of a few bytes that becomes large runs on the event loop",
        GRPC,
        "self._lanes.run(len(data), parse, method.decoded, work)",
        "self._lanes.run(len(data), parse, lambda request: 0, work)",
        ("test_a_request_of_a_few_bytes_that_becomes_large_does_not_run_on_the_event_loop",),
    ),
    Fault(
        "a request that failed is held until the next collection",
        GRPC,
        "code, message = error.code, error.message",
        "code, message, held = error.code, error.message, error",
        ("test_a_request_that_failed_is_not_held_until_the_next_collection",),
    ),
    Fault(
        "strings in content count for nothing",
        TENSORS,
        "return count * STRING_BYTES if count <= len(content) else 0",
        "return 0",
        ("test_strings_in_content_count", "test_how_large_the_array_of_a_tensor_is"),
    ),
    Fault(
        "a large call that waits stays in the queue of the threads once it is cancelled",
        THREADS,
        "        async with self._slots:\n",
        "        if self._slots:\n",
        ("test_of_work_that_waits_nothing_stays_once_its_caller_is_cancelled",),
    ),
    Fault(
        "a large call under way counts no more once it is cancelled",
        THREADS,
        "        while not begun.done():\n",
        "        while False:\n",
        (
            "test_work_that_has_begun_is_waited_for_by_a_caller_that_is_cancelled",
            "test_what_a_call_holds_is_held_until_its_work_has_ended_though_nobody_waits_any_more",
        ),
    ),
    Fault(
        "a body of examples is read on the event loop however many values it has",
        REST,
        "examples.filled_bytes(body), parse,",
        "len(body), parse,",
        ("test_a_body_of_examples_that_becomes_large_does_not_run_on_the_event_loop",),
    ),
    Fault(
        "a small request as gzip waits for large ones",
        REST,
        "                return _inflated(body, INLINE_BYTES)\n",
        "                raise TooLarge\n",
        ("test_a_small_request_as_gzip_waits_for_no_large_one",),
    ),
    Fault(
        "a body that gzip makes large is read on the event loop",
        REST,
        "return _inflated(body, INLINE_BYTES)",
        "return _inflated(body, MAX_REQUEST_BYTES)",
        ("test_a_small_request_as_gzip_waits_for_no_large_one",),
    ),
    Fault(
        "bodies over REST that stand still take all that large requests may hold",
        BODIES,
        "        if body.arrives:\n",
        "        if False:\n",
        ("test_bodies_that_stand_still_shut_out_no_whole_request",),
    ),
    Fault(
        "uploads that stand still make room for no other",
        BODIES,
        "grew_at <= now - STANDS_STILL]",
        "grew_at <= now - 1e9]",
        (
            "test_an_upload_that_stands_still_makes_room_for_another",
            "test_a_body_that_stands_still_makes_room_for_one_that_comes",
        ),
    ),
    Fault(
        "uploads that go on are ended for another",
        BODIES,
        "                    self.grew_at = self._bodies.clock()\n",
        "",
        ("test_one_that_grows_or_has_stood_still_for_a_moment_stays",),
    ),
    Fault(
        "bodies are ended though that makes too little room",
        BODIES,
        "if total - sum(each.size for each in still) > limit:",
        "if not still:",
        ("test_as_many_make_room_as_are_needed_and_none_where_all_are_too_few",),
    ),
    Fault(
        "small requests and reloads are shut out by large ones",
        BODIES,
        "if size > self._bodies.small:",
        "if True:",
        ("test_a_small_request_and_a_reload_find_room_however_much_is_held",),
    ),
    Fault(
        "a changed config counts as served though a version of it does not answer",
        CONFIG_FILE,
        "        self._manager.check_served(wanted)\n",
        "",
        ("test_a_file_is_served_once_each_version_that_it_wants_answers",),
    ),
    Fault(
        "the bytes of a call that failed are held until the next collection",
        GRPC,
        "            del data  #",
        "            #",
        ("test_nor_are_the_bytes_in_which_it_came",),
    ),
    Fault(
        "a message of millions of empty inputs is parsed",
        GRPC,
        "    check_fields(data)\n",
        "",
        ("test_a_message_of_many_empty_fields_is_refused_before_it_is_parsed",),
    ),
    Fault(
        "empty variants of a tensor are parsed",
        WIRE,
        '_UNSERVED = ("resource_handle_val", "variant_val")',
        '_UNSERVED = ("resource_handle_val",)',
        ("test_what_no_served_tensor_has_is_held_as_it_came",),
    ),
    Fault(
        "a reload of millions of models is parsed",
        GRPC,
        "_MAX_RELOAD_BYTES = INLINE_BYTES",
        "_MAX_RELOAD_BYTES = MAX_REQUEST_BYTES",
        ("test_a_reload_that_would_be_large_once_it_is_parsed_is_refused",),
    ),
    Fault(
        "behind a group of fields no inputs are counted",
        WIRE,
        "            elif kind in (_FIXED64, _FIXED32):\n",
        "            else:\n",
        ("test_entries_are_counted_behind_any_other_field",),
    ),
    Fault(
        "of a body that has a key twice both readings are held at once",
        TEXT,
        "            del document  #",
        "            #",
        ("test_of_a_body_that_is_read_twice_the_first_reading_is_not_held",),
    ),
)
