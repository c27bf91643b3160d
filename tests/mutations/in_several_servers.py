"""Faults of homes with several servers of each engine: how many there are, and whom a client talks to."""

from typing import Final

from tests.mutations.fault import Fault

RECORD: Final = "infra/home/record.py"
PORTS: Final = "infra/home/ports.py"
PROCESSES: Final = "infra/system/processes.py"
CLIENT: Final = "infra/flink/client.py"
ADDRESSES: Final = "infra/settings/addresses.py"

FAULTS: Final = (
    Fault(
        "a home with a log gets more servers",
        RECORD,
        "        if wanted and not self._settings.scaled:\n            if self._has_log:",
        "        if wanted and not self._settings.scaled:\n            if False:",
        ("test_a_home_that_has_a_log_gets_no_more_servers",),
    ),
    Fault(
        "a home forgets that it has several servers",
        RECORD,
        "return SCALED if self._settings.scaled else ALONE",
        "return ALONE",
        ("test_a_home_that_is_made_with_several_has_them_for_good",),
    ),
    Fault(
        "servers listen elsewhere after each start",
        PORTS,
        "more={name: chosen[name] for name in more}",
        "more={name: free[name] for name in more}",
        ("test_every_server_has_a_port_of_its_own_and_keeps_it",),
    ),
    Fault(
        "a server keeps a port that is the API's now",
        PORTS,
        "(port := before.get(name)) and port != api and",
        "(port := before.get(name)) and",
        ("test_no_server_gets_the_port_of_the_api_though_nobody_listens_on_it_yet",),
    ),
    Fault(
        "a home that comes up again claims no port",
        PORTS,
        "(port := before.get(name)) and port != api and claim_port(port)",
        "(port := before.get(name)) and port != api",
        ("test_a_home_that_comes_up_again_leaves_another_the_ports_that_it_has_meanwhile",),
    ),
    Fault(
        "a port on which a service of another home does not listen yet is drawn",
        PROCESSES,
        "and _is_unused(port) and not _is_claimed(port))",
        "and _is_unused(port))",
        ("test_ports_that_a_process_has_drawn_are_drawn_by_no_other_though_nobody_listens_on_them",),
    ),
    Fault(
        "Flink is looked for at the first JobManager alone",
        PORTS,
        "for number in range(1, count + 1))",
        "for number in range(1, 2))",
        ("test_the_address_of_flink_is_that_of_each_job_manager",),
    ),
    Fault(
        "a JobManager that does not answer is the only one that is asked",
        CLIENT,
        'tries = 1 if method == "POST" else len(self._addresses)',
        "tries = 1",
        ("test_of_several_job_managers_one_that_answers_is_asked",),
    ),
    Fault(
        "a JobManager that is silent takes the time of those after it",
        CLIENT,
        "(self._deadline - time.monotonic()) / untried)",
        "self._deadline - time.monotonic())",
        ("test_a_job_manager_that_is_silent_leaves_time_for_the_next",),
    ),
    Fault(
        "a savepoint is asked of one JobManager after another",
        CLIENT,
        'tries = 1 if method == "POST" else len(self._addresses)',
        "tries = len(self._addresses)",
        ("test_what_is_to_be_done_once_is_asked_of_one_job_manager",),
    ),
    Fault(
        "one broker's word is enough",
        "infra/services/kafka.py",
        '            "min.insync.replicas": majority,\n',
        "",
        ("test_what_is_acknowledged_is_on_a_majority_of_the_brokers",),
    ),
    Fault(
        "the servers of a copied home look for each other where the original's are",
        "infra/services/redis_cluster.py",
        "address = address_of[name] + comma + more",
        "address = before",
        ("test_a_copy_of_a_home_beside_it_is_a_cluster_of_its_own",),
    ),
    Fault(
        "a replica with a new id is nobody's replica",
        "infra/services/redis_cluster.py",
        "if not view.slots and view.primary not in ids:",
        "if False:",
        ("test_a_replica_that_lost_what_it_had_is_one_again",),
    ),
    Fault(
        "the job enters Kafka by one broker",
        ADDRESSES,
        "range(1, topology.brokers + 1)",
        "range(1, 2)",
        ("test_the_engines_of_a_scaled_home_are_named_by_all_their_servers",),
    ),
)
