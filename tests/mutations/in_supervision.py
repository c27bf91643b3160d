"""Faults of supervision: of restarts, of stopping, of what a later run finds; of the judge, and of who waits for Redis."""

from typing import Final

from tests.mutations.fault import Fault

SUPERVISOR: Final = "infra/services/supervisor.py"
CHECKPOINTS: Final = "infra/flink/checkpoints.py"
CHANNEL: Final = "infra/home/command_channel.py"
NODES: Final = "features/engines/redis_nodes.py"

FAULTS: Final = (
    Fault(
        "the last of a kind waits as if another took over",
        SUPERVISOR,
        "if not any(child.runs for child in alike):",
        "if False:",
        ("test_where_none_of_a_kind_runs_nobody_takes_over_and_all_are_restarted",),
    ),
    Fault(
        "a chore of another kind of error ends supervision",
        SUPERVISOR,
        "        except Exception as error:\n            self._note_trouble(error)",
        "        except MartletError as error:\n            self._note_trouble(error)",
        ("test_nothing_that_fails_ends_supervision",),
    ),
    Fault(
        "a status that can't be written ends supervision",
        SUPERVISOR,
        "except OSError as error:  # no process",
        "except KeyError as error:  # no process",
        ("test_nothing_that_fails_ends_supervision",),
    ),
    Fault(
        "what had died counts as stopped in order",
        SUPERVISOR,
        "return clean and did_run",
        "return clean",
        ("test_a_service_that_had_died_was_not_stopped_in_order",),
    ),
    Fault(
        "a step ends where nobody reads of it",
        "infra/system/progress.py",
        "with contextlib.suppress(OSError):",
        "with contextlib.suppress(KeyError):",
        ("test_steps_are_done_though_nobody_reads_of_them",),
    ),
    Fault(
        "a checkpoint of after a loss is taken later",
        "infra/flink/job_control.py",
        'self._refuse(checkpoint, "Redis has lost writes of before it")\n',
        "",
        ("test_a_checkpoint_from_after_a_loss_is_not_taken_by_a_later_start_either",),
    ),
    Fault(
        "checkpoints of jobs before stay for ever",
        CHECKPOINTS,
        "if len(own) < RETAINED:",
        "if own:",
        ("test_checkpoints_of_jobs_before_go_once_there_are_enough_newer_ones",),
    ),
    Fault(
        "checkpoints of jobs before go too early",
        CHECKPOINTS,
        "if len(own) < RETAINED:",
        "if not own:",
        ("test_checkpoints_of_jobs_before_go_once_there_are_enough_newer_ones",),
    ),
    Fault(
        "a request is carried out though nobody waits for it",
        CHANNEL,
        'if request is not None and request["id"] == number:',
        "if False:",
        ("test_a_request_nobody_waits_for_any_more_is_not_carried_out",),
    ),
    Fault(
        "what another thread set while the record was saved is lost",
        "infra/home/record.py",
        "            self._as_read = msgspec.structs.asdict(written)\n",
        "            self._as_read = msgspec.structs.asdict(self._settings)\n",
        ("test_what_one_thread_sets_while_another_saves_is_not_lost",),
    ),
    Fault(
        "a script is not loaded where a slot that moves goes",
        NODES,
        "return self._followed(target, command, found) if isinstance(found, NoScriptError) else found",
        "return found",
        ("test_a_script_is_loaded_where_a_slot_that_moves_goes",),
    ),
    Fault(
        "a server without a name is looked for on this machine",
        "features/engines/redis_slots.py",
        'return source[0] if host in ("", "?") else host, int(port)',
        'return host or "localhost.invalid", int(port)',
        ("test_a_server_that_is_redirected_to_without_a_name_is_where_the_other_one_is",),
    ),
    Fault(
        "acts on lists that are not compared push out others",
        "infra/judging/outcomes.py",
        "            if request_id not in opened:\n                del self.acts[request_id]",
        "            if False:\n                del self.acts[request_id]",
        ("test_acts_on_lists_that_are_not_compared_push_out_none_that_are",),
    ),
    Fault(
        "a version is held to one that is gone, for ever",
        "infra/judging/rules.py",
        "if labels.last_good is None or labels.last_good not in versions:",
        "if False:",
        ("test_a_version_whose_predecessor_is_gone_is_held_to_none_and_others_are_tried",),
    ),
    Fault(
        "an older candidate counts as fresher",
        "infra/judging/rules.py",
        "if candidate > stable and (e :=",
        "if (e :=",
        ("test_an_older_candidate_has_to_be_better_than_a_newer_stable_version",),
    ),
    Fault(
        "a version is evaluated on what it has learned",
        "offline/evaluation/methods/model_methods.py",
        "if manifest.data.to_ms <= base.cut:",
        "if True:",
        ("test_the_newest_version_is_taken_that_has_not_seen_what_comes_after_the_base",),
    ),
    Fault(
        "a link that is closed cancels its readers",
        "online/redis_client/server_link.py",
        "if connecting.cancelled() and reader is not None and not reader.cancelling():",
        "if False:",
        ("test_a_link_that_is_closed_while_it_connects_cancels_nobody",),
    ),
    Fault(
        "who is subscribed late is not told",
        "online/stores/user_updates.py",
        "subscription.may_miss |= not subscription.subscribed.is_set()",
        "subscription.may_miss |= False",
        ("test_who_is_subscribed_later_than_they_waited_is_told",),
    ),
    Fault(
        "a job that can't be stopped leaves all else running",
        "infra/stack.py",
        "        finally:  # whatever became of it",
        "        except ZeroDivisionError:\n            raise\n        else:",
        ("test_processes_are_stopped_though_the_job_can_not_be",),
    ),
    Fault(
        "whoever waits for models is not told that there are none",
        "infra/detached.py",
        "return 1 if failed else 0",
        "return 0",
        ("test_what_could_not_be_prepared_is_named_to_whoever_waits_for_it",),
    ),
    Fault(
        "a home without history counts as broken",
        "infra/start_plan.py",
        "step.is_wrong = not isinstance(outcome, NothingToDo)",
        "step.is_wrong = True",
        ("test_a_later_step_that_has_nothing_to_do_is_left_out_and_nothing_is_wrong",),
    ),
    Fault(
        "two homes that come up at once share the port of the API",
        "infra/stack.py",
        "                claims.enter_context(claimed_api(options.port))\n",
        "                pass\n",
        ("test_the_port_of_the_api_is_a_homes_though_nobody_listens_on_it_yet",),
    ),
    Fault(
        "a home that gets several servers keeps what one had",
        "infra/stack.py",
        "if topology != before:",
        "if False:",
        ("test_a_home_that_gets_several_servers_begins_with_an_empty_redis",),
    ),
)
