"""Faults of what an operator is told, of recovery, of the model server's choice of versions, and of merging what recall found."""

from typing import Final

from tests.mutations.fault import Fault

ALARMS: Final = "infra/monitoring/alarms.py"
VERSIONS: Final = "models/server/version_policy.py"
MERGE: Final = "online/recall/merge.py"
STANDSTILL: Final = "infra/flink/standstill.py"

FAULTS: Final = (
    Fault(
        "a restart is told once",
        ALARMS,
        "any(job.restarted_at != now.restarted_at for job in jobs)",
        "jobs[max(len(jobs) - 2, 0)].restarted_at != now.restarted_at",
        ("test_a_restart_is_told_for_a_minute",),
    ),
    Fault(
        "one failed checkpoint is an alarm",
        ALARMS,
        "checkpoints.failed_in_a_row >= FAILED_IN_A_ROW",
        "checkpoints.failed_in_a_row >= 1",
        ("test_checkpoints_that_fail_in_a_row_are_overdue_at_once_with_their_reason",),
    ),
    Fault(
        "a home at rest has overdue checkpoints",
        ALARMS,
        "if age > CHECKPOINT_MS and _reads(snapshots):",
        "if age > CHECKPOINT_MS:",
        ("test_a_missing_checkpoint_is_overdue_only_if_there_is_something_to_keep",),
    ),
    Fault(
        "a record that is never read is no alarm",
        ALARMS,
        "if recent[0].total(counted) == recent[-1].total(counted):",
        "if False:",
        ("test_a_single_record_that_is_never_read_is_enough",),
    ),
    Fault(
        "pending records that grow are no alarm",
        ALARMS,
        "if rises and known[-1] - known[0] >= GROWING_BY:",
        "if rises and known[0] - known[-1] >= GROWING_BY:",
        ("test_pending_grows_when_the_job_is_slower_than_its_input",),
    ),
    Fault(
        "features are stale after ten seconds",
        ALARMS,
        "(took := minute.quantile(q) or 0) > STALE_MS",
        "(took := minute.quantile(q) or 0) > 10 * STALE_MS",
        ("test_features_are_stale_when_the_last_minute_was_slow",),
    ),
    Fault(
        "what was an hour ago is an alarm",
        ALARMS,
        "_alarms(latest(snapshots, WINDOW_MS))",
        "_alarms(snapshots)",
        ("test_snapshots_of_more_than_a_minute_ago_and_of_a_clock_set_back_do_not_count",),
    ),
    Fault(
        "the smallest versions are served",
        VERSIONS,
        "sorted(present, reverse=True)[: policy.count]",
        "sorted(present)[: policy.count]",
        ("test_what_a_policy_asks_for",),
    ),
    Fault(
        "a version goes before the next is there",
        VERSIONS,
        "    return surplus[:-1]",
        "    return surplus",
        ("test_availability_is_preserved",),
    ),
    Fault(
        "a folder of superscripts is a version",
        VERSIONS,
        "if child.isascii() and child.isdigit()",
        "if child.isdigit()",
        ("test_only_whole_numbers_are_versions",),
    ),
    Fault(
        "a policy's quota of a channel is ignored",
        MERGE,
        "                        : self._quotas.get(channel.name, channel.default_limit)\n",
        "                        :\n",
        ("test_a_channel_gives_its_few_unless_a_policy_says_more",),
    ),
    Fault(
        "a channel that failed is not named",
        MERGE,
        """                    logger.exception("recall channel %s failed", channel.name)
                    self._failed.append(channel.name)
""",
        """                    logger.exception("recall channel %s failed", channel.name)
""",
        ("test_merging_takes_the_best_places_names_channels_and_skips_one_that_fails",),
    ),
    Fault(
        "channels are asked when the time is over",
        MERGE,
        "if self._is_over(began, wall) and any(",
        "if False and any(",
        ("test_when_the_time_is_over_the_rest_is_skipped_and_named_but_no_list_is_empty",),
    ),
    Fault(
        "a process that stood still leaves channels out",
        MERGE,
        "return self._wall() - wall > self._left and self._clock() - began > self._left",
        "return self._wall() - wall > self._left",
        ("test_a_process_that_stands_still_leaves_no_channel_out",),
    ),
    Fault(
        "a job with nothing to read is taken for one that reads nothing",
        STANDSTILL,
        " and self._pending.count() > 0",
        "",
        ("test_any_other_job_is_left_alone",),
    ),
    Fault(
        "a job that reads nothing has the time of the one before",
        STANDSTILL,
        "        self._since = None\n\n    def close",
        "        pass\n\n    def close",
        ("test_a_job_that_takes_no_record_while_some_wait_is_noticed",),
    ),
    Fault(
        "a job whose tasks do not run is taken for one that reads nothing",
        STANDSTILL,
        "return all_run(job) and any(",
        "return any(",
        ("test_any_other_job_is_left_alone",),
    ),
    Fault(
        "what another generation has folded does not wait",
        STANDSTILL,
        "read_lanes(pipe.execute(), settings.generation)",
        "read_lanes(pipe.execute())",
        ("test_what_waits_is_what_the_log_holds_beyond_base_and_job",),
    ),
    Fault(
        "of the checkpoints that read nothing the first alone is refused",
        "infra/flink/job_control.py",
        "            if checkpoint.completed_at >= since:",
        "            if checkpoint.completed_at == since:",
        ("test_a_checkpoint_that_reads_nothing_is_refused_with_all_that_came_of_it",),
    ),
    Fault(
        "a TaskManager that the job lacks is restarted as late as a standby",
        "infra/flink/standby.py",
        "< len(workers) - 1:",
        "< len(workers) - 2:",
        ("test_a_dead_one_is_restarted_at_once_only_where_the_job_lacks_it",),
    ),
    Fault(
        "the successor starts while the job catches up",
        "infra/services/supervisor.py",
        "max(child.backoff, child.service.restart_after)",
        "child.backoff",
        ("test_one_whose_work_another_takes_over_waits_for_its_restart",),
    ),
    Fault(
        "a client that dies while it waits is started over and over",
        "infra/flink/job_client.py",
        "if not lives and time.monotonic() >= self._prepare_at:",
        "if not lives:",
        ("test_one_that_dies_while_it_waits_is_not_started_over_and_over",),
    ),
    Fault(
        "a client of the old code submits the new job",
        "infra/flink/job_client.py",
        "            ahead.end()",
        "            self._ahead = ahead",
        ("test_one_that_knows_the_old_code_is_not_used_after_an_upgrade",),
    ),
    Fault(
        "the watch retains too few snapshots for its alarms where it looks often",
        "infra/monitoring/monitor.py",
        "deque(maxlen=history_limit(every))",
        "deque(maxlen=FEWEST)",
        ("test_alarms_of_half_a_minute_come_however_often_the_watch_looks",),
    ),
    Fault(
        "a disk that is nearly full is no alarm",
        ALARMS,
        "host.free >= min(FULL_SHARE * host.size, FULL_BYTES)",
        "host.free > 0",
        ("test_a_disk_is_nearly_full_below_a_twentieth_and_below_ten_gib",),
    ),
    Fault(
        "a certificate in another one's place is not read",
        "infra/monitoring/host.py",
        "if stamps != self._read:",
        "if self._read is None:",
        ("test_a_certificate_says_when_it_ends_and_another_one_in_its_place_too",),
    ),
    Fault(
        "what is killed was no attempt",
        "infra/learning/learner_state.py",
        "        self.commit(msgspec.structs.replace(before, **counted))\n",
        "",
        ("test_where_each_attempt_is_killed_it_rests_between_them_and_is_given_up",),
    ),
    Fault(
        "a stop in order is an attempt",
        "infra/learning/learner_state.py",
        "        except KeyboardInterrupt:\n            self.commit(before)\n",
        "        except KeyboardInterrupt:\n",
        ("test_a_stop_in_order_is_no_attempt",),
    ),
    Fault(
        "an API that refuses to answer ends who asks it",
        "infra/system/readiness.py",
        "except msgspec.ValidationError as error:",
        "except ZeroDivisionError as error:",
        ("test_an_api_with_too_many_requests_to_answer_changes_nothing",),
    ),
    Fault(
        "a certificate that has run out has no end",
        "infra/monitoring/host.py",
        ", at_any_time=True",
        "",
        ("test_a_certificate_that_has_run_out_says_since_when",),
    ),
    Fault(
        "where a disk has no second names nothing is learned",
        "features/durable.py",
        "        _copy_new(Path(source), Path(target))",
        "        raise",
        ("test_lists_come_again_where_the_disk_has_no_second_names",),
    ),
    Fault(
        "a full disk has a healthy job stopped",
        "infra/services/supervisor.py",
        "os.utime(self._file)",
        "pass",
        ("test_a_supervisor_that_has_no_room_for_its_status_is_well",),
    ),
    Fault(
        "the API's processes are probed one after the other",
        "infra/monitoring/probed_servers.py",
        "            query.begin()\n",
        "            query.begin()\n            query.result()\n",
        ("test_processes_are_asked_beside_each_other",),
    ),
    Fault(
        "which process of the API hangs is not told",
        "infra/monitoring/collector.py",
        "PROBES_TIMEOUT = 3.0",
        "PROBES_TIMEOUT = 1.0",
        ("test_servers_are_probed_where_there_are_any_and_a_silent_one_is_named",),
    ),
)
