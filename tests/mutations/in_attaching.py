"""Faults of settings, and of what is refused of engines that run already."""

from typing import Final

from tests.mutations.fault import Fault

READING: Final = "infra/settings/reading.py"
SAFETY: Final = "infra/settings/safety.py"
TLS: Final = "features/engines/tls.py"
INSTANCE: Final = "infra/services/redis_instance.py"
REDIS: Final = "infra/attached/redis_entry.py"
KAFKA: Final = "infra/attached/kafka_entry.py"

FLINK: Final = "infra/attached/flink_entry.py"
KEEPER: Final = "infra/flink/job_keeper.py"

CONSUMER: Final = "features/engines/kafka_consumer.py"
ACCESS: Final = "online/access/access.py"

FAULTS: Final = (
    Fault(
        "a caller may take a minute to begin to speak TLS",
        "online/serving.py",
        "limit = None if tls is None else HANDSHAKE_S",
        "limit = None",
        ("test_the_port_speaks_tls_and_pages_api_and_health_go_over_it",),
    ),
    Fault(
        "a consumer that can't be opened leaves its thread",
        CONSUMER,
        "            each.close()",
        "            pass",
        ("test_no_thread_is_left_of_a_consumer_that_finds_no_broker",),
    ),
    Fault(
        "a password in an address is shown",
        READING,
        '_CREDENTIALS.sub("//…@", repr(value))',
        "repr(value)",
        ("test_a_password_in_an_address_is_not_shown",),
    ),
    Fault(
        "another prefix leaves the log behind",
        KAFKA,
        "if others := sorted(set(expected.topics) - {topic.name for topic in wanted}):",
        "if others := sorted({topic.name for topic in wanted} & set()):",
        ("test_the_prefix_of_a_home_stays",),
    ),
    Fault(
        "keys are tried in another home's Redis",
        REDIS,
        "    if not owner.help:",
        "    if owner.help or not owner.help:",
        ("test_nothing_is_tried_in_another_homes",),
    ),
    Fault(
        "two homes at once mark one Redis",
        REDIS,
        "if owner is None or owner.decode() != home_id:",
        "if owner is None:",
        ("test_nothing_is_tried_in_another_homes",),
    ),
    Fault(
        "an API without keys is open to other machines",
        ACCESS,
        "if access.key_needed and not access.keys:",
        "if False:",
        ("test_what_other_machines_reach_does_not_start_without_a_key",),
    ),
    Fault(
        "a password that others may read is taken",
        READING,
        "if mode & 0o077:",
        "if mode & 0o007:",
        ("test_a_file_with_a_secret_must_be_its_owners_alone",),
    ),
    Fault(
        "the file goes before the variable",
        READING,
        "if text := environment.get(field.variable):",
        "if (text := environment.get(field.variable)) and file.get(field) is None:",
        ("test_an_option_holds_before_a_variable_and_a_variable_before_the_file",),
    ),
    Fault(
        "a password goes over the network as it is",
        SAFETY,
        'url.scheme != "rediss" and far is not None',
        'url.scheme != "rediss" and far is None',
        ("test_a_wrong_setting_names_itself",),
    ),
    Fault(
        "a certificate for another host is taken",
        TLS,
        "        return context",
        "        context.check_hostname = False\n        return context",
        ("test_a_certificate_that_ran_out_or_is_anothers_is_refused",),
    ),
    Fault(
        "a Redis without a file of its writes is believed",
        INSTANCE,
        'bool(found["aof_enabled"])',
        "True",
        ("test_a_redis_without_a_file_of_its_writes_has_lost_them_after_a_restart",),
    ),
    Fault(
        "a Redis of another home is taken",
        REDIS,
        "if owner in (None, home_id):",
        "if owner is None or owner:",
        ("test_a_redis_is_one_homes_a_database",),
    ),
    Fault(
        "a topic with another home's records is taken",
        KAFKA,
        "elif known is None and (records := _records(admin, topic)):",
        "elif known == topic.name and (records := _records(admin, topic)):",
        slow="test_two_homes_share_a_kafka_by_prefix_and_none_by_the_same",
    ),
    Fault(
        "a topic that was made anew is taken for the home's",
        KAFKA,
        'elif known is not None and str(each["topic_id"]) != known:',
        'elif known == topic.name and str(each["topic_id"]) != known:',
        slow="test_a_topic_that_was_deleted_and_made_anew_is_not_the_homes",
    ),
    Fault(
        "a Flink of another version is taken",
        FLINK,
        "if _minor(version) != _minor(wanted):",
        "if _minor(version)[0] != _minor(wanted)[0]:",
        ("test_another_version_is_refused",),
    ),
    Fault(
        "a Flink without slots is taken",
        FLINK,
        "    if free < slots:",
        "    if total < slots:",
        ("test_a_cluster_without_slots_is_refused",),
    ),
    Fault(
        "slots that are on their way are not waited for",
        FLINK,
        "or not wait_until(deadline, 0.5):",
        "or True:",
        ("test_slots_that_are_on_their_way_are_waited_for",),
    ),
    Fault(
        "the job goes to the first of several JobManagers though it is dead",
        "streaming/rest_address.py",
        "            if _answers(address):",
        "            if address:",
        ("test_a_job_goes_to_a_job_manager_that_answers",),
    ),
    Fault(
        "JobManagers of two clusters are taken for one's",
        FLINK,
        "and own.isdisjoint(its)",
        "and own == its",
        ("test_job_managers_of_two_clusters_are_refused",),
    ),
    Fault(
        "a job that a killed up has left runs on",
        FLINK,
        "if not end_live_job(FlinkClient(record.flink, job_name=record.job_name)):",
        "if FlinkClient(record.flink, job_name=record.job_name).live_job() is not None:",
        ("test_a_job_that_was_left_there_is_ended_and_no_other",),
    ),
    Fault(
        "homes in one cluster have a job of one name",
        "infra/home/record.py",
        'return f"martlet-{self.home_id}" if self._settings.flink else "martlet"',
        'return "martlet"',
        ("test_a_home_with_a_cluster_of_its_own_asks_none",),
    ),
    Fault(
        "a job without a savepoint runs on in the cluster",
        KEEPER,
        "if self._standby is not None else self._cancel_at_last()",
        "if self._standby is None else self._cancel_at_last()",
        ("test_a_job_that_takes_no_savepoint_is_cancelled_since_the_cluster_lives_on",),
    ),
    Fault(
        "passwords go to Flink over the network as they are",
        "streaming/settings.py",
        "        if self.passwords:\n            return self",
        "        if self.passwords or self.items:\n            return self",
        ("test_an_attached_cluster_is_told_no_password",),
    ),
    Fault(
        "why a job was not submitted is left to its log",
        "infra/flink/job_client.py",
        "if cause else",
        "if not cause else",
        ("test_a_cause_in_what_it_has_said_goes_before_all_else",),
    ),
    Fault(
        "the jar of another version stays in lib",
        "infra/flink/flink_lib.py",
        "if other.name != jars[-1].name:",
        "if other.name == jars[0].name:",
        slow="test_jars_are_copied_in_place_of_another_versions",
    ),
    Fault(
        "what was taken away in another copy stays",
        "models/registry/versions.py",
        "            _retire(models_dir, name, version, folders[version])\n            return True",
        "            return True",
        ("test_what_is_taken_away_is_so_everywhere_and_its_number_is_not_given_again",),
    ),
    Fault(
        "another version of the same number is taken away",
        "models/registry/versions.py",
        "if version not in folders or withdrawn_as(folders[version], version) != withdrawn:",
        "if version not in folders:",
        ("test_copies_agree_in_the_end_whatever_happens",),
    ),
    Fault(
        "a version that has another number now counts as taken away",
        "models/registry/versions.py",
        "        if not is_moved:\n",
        "        if True:\n",
        ("test_copies_agree_in_the_end_whatever_happens",),
    ),
    Fault(
        "two versions of one number are taken for one",
        "infra/storage/model_mirror.py",
        "            if seen.content != own:\n",
        "            if not seen.content:\n",
        ("test_a_number_given_twice_is_given_anew_and_labels_follow",),
    ),
    Fault(
        "what is missing of a version in the store stays missing",
        "infra/storage/model_mirror.py",
        "        if not missing and MANIFEST in listing.files:\n",
        "        if MANIFEST in listing.files:\n",
        ("test_what_of_a_version_has_gone_in_the_store_is_written_there_again",),
    ),
    Fault(
        "a version that will not do is fetched again and again",
        "infra/storage/model_mirror.py",
        "            self._refused[name, version] = seen.at\n",
        "            pass\n",
        ("test_a_version_that_will_not_do_is_brought_once",),
    ),
    Fault(
        "labels that were changed here are overwritten by older ones of the store",
        "infra/storage/model_mirror.py",
        "own == before or (stored != before and",
        "own == before or (",
        ("test_a_decision_of_one_side_alone_holds_whatever_its_clock_says",),
    ),
    Fault(
        "labels that were given during a sync are overwritten",
        "models/registry/transfer.py",
        "taken = now == (before or Labels()).on_disk(list_versions(models_dir, name))",
        "taken = True",
        ("test_labels_given_meanwhile_stay",),
    ),
    Fault(
        "brokers that the settings do not name are not reached",
        "infra/attached/kafka_entry.py",
        "} - set(address.servers)",
        "} & set(address.servers)",
        slow="test_each_broker_that_the_cluster_names_is_reached",
    ),
    Fault(
        "the API starts with a certificate that has run out",
        "online/support/certificate.py",
        "            return error.verify_message\n",
        "            return None\n",
        ("test_one_that_has_run_out_is_refused_and_does_not_replace_another",),
    ),
    Fault(
        "a client's certificate is shown to nobody by whom it could be seen to have run out",
        "infra/attached/reaching.py",
        "        if tls.certificate is not None:\n            shown_by_client",
        "        if tls.certificate is not None and False:\n            shown_by_client",
        ("test_a_server_that_wants_a_certificate_gets_ones_own",),
    ),
    Fault(
        "the doctor fetches Kafka's jars where Kafka is attached",
        "infra/cli/local_packages.py",
        "() if settings.kafka.bootstrap is not None else",
        "() if settings.kafka.bootstrap is None else",
        ("test_packages_of_engines_that_run_already_are_not_examined",),
    ),
    Fault(
        "a file of TLS that can't be read is taken for the other one of its engine",
        "infra/attached/reaching.py",
        "if error.where == tls.certificate else",
        "if error.where != tls.certificate else",
        ("test_a_file_of_tls_that_can_not_be_read_is_named_by_its_setting_and_the_others_go_on",),
    ),
    Fault(
        "a step without a model store minds what other settings lack",
        "infra/cli/offline_commands.py",
        "        if value_of(home, MODELS, None) is None:\n            return\n",
        "",
        ("test_without_a_store_nothing_is_examined",),
    ),
    Fault(
        "a Redis of one's own may be of any version",
        "infra/services/redis_program.py",
        "if version < OLDEST[kind]:",
        "if version < (0, 0):",
        ("test_another_is_refused",),
    ),
    Fault(
        "settings of a bucket are taken where nothing lies in one",
        "infra/settings/safety.py",
        "    if not buckets:\n",
        "    if not buckets and False:\n",
        ("test_a_wrong_setting_names_itself",),
    ),
    Fault(
        "models and checkpoints may lie in one another",
        "infra/settings/safety.py",
        "(checkpoints.startswith(models) or models.startswith(checkpoints)):",
        "(checkpoints == models):",
        ("test_a_wrong_setting_names_itself",),
    ),
    Fault(
        "a program of one's own is looked for from where one stands",
        "infra/settings/addresses.py",
        "home.path.absolute() / Path(name).expanduser() if os.sep in name else name",
        "name",
        ("test_a_program_is_relative_to_the_home_or_on_path_wherever_one_stands",),
    ),
)
