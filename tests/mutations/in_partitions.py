"""Faults of the number of partitions: where it is said, and what follows from it."""

from typing import Final

from tests.mutations.fault import Fault

RECORD: Final = "infra/home/record.py"
LANES: Final = "streaming/lanes.py"

FAULTS: Final = (
    Fault(
        "a home that exists is divided anew",
        RECORD,
        "            if not self.is_blank:",
        "            if self.topics:",
        (
            "test_a_home_is_divided_until_it_has_a_base_and_never_again",
            "test_a_home_with_a_log_stays_divided_as_it_is",
        ),
    ),
    Fault(
        "a base for another number of partitions is used",
        RECORD,
        "if base.partitions != self.partitions:",
        "if False:",
        ("test_a_base_for_another_number_of_partitions_is_refused",),
    ),
    Fault(
        "the job gets more degrees than there are partitions",
        RECORD,
        "if (parallelism or settings.parallelism) > settings.partitions:",
        "if False:",
        ("test_the_job_has_at_most_as_many_degrees_as_there_are_partitions",),
    ),
    Fault(
        "the Kafka that up starts is divided by eight, whatever the home says",
        "infra/settings/addresses.py",
        'KafkaAddress(",".join(brokers), partitions=partitions)',
        'KafkaAddress(",".join(brokers))',
        ("test_the_number_of_partitions_comes_from_the_home_whichever_kafka_it_is",),
    ),
    Fault(
        "an attached Kafka is divided by eight, whatever the home says",
        "infra/settings/addresses.py",
        "tls, *login, partitions)",
        "tls, *login)",
        ("test_the_number_of_partitions_comes_from_the_home_whichever_kafka_it_is",),
    ),
    Fault(
        "lanes lie in slices of key groups as they come",
        LANES,
        "waiting.setdefault(lane * slices // lanes, [])",
        "waiting.setdefault(lane % slices, [])",
        ("test_the_labels_are_those_that_savepoints_hold",),
    ),
    Fault(
        "key groups are divided into more slices than a power of two",
        LANES,
        "slices = 1 << min(lanes, MAX_PARALLELISM).bit_length() - 1",
        "slices = min(lanes, MAX_PARALLELISM)",
        ("test_a_power_of_two_of_subtasks_has_the_lanes_evenly",),
    ),
    Fault(
        "Flink's negative hashes are taken for other key groups",
        LANES,
        "return min(code, 0x100000000 - code) % MAX_PARALLELISM",
        "return code % MAX_PARALLELISM",
        ("test_the_key_groups_are_flinks",),
    ),
    Fault(
        "a message to a lane above 127 goes to another",
        "streaming/operators/item_deltas.py",
        "return data[1] if data[1] <= _ONE_BYTE else data[2]",
        "return data[1]",
        ("test_each_item_gets_in_its_lane_what_the_plain_fold_gives_it",),
    ),
    Fault(
        "the kernel's reader divides by eight",
        "features/kernel/users/plain_reader.py",
        "schema.ids, clock, partitioner(partitions)",
        "schema.ids, clock, partitioner(8)",
        ("test_a_plain_event_is_read_in_its_users_partition_alone",),
    ),
    Fault(
        "admission divides by eight",
        "features/contracts/admission.py",
        "self._schema, self._partition_of = schema, partitioner(partitions)",
        "self._schema, self._partition_of = schema, partitioner(8)",
        ("test_how_the_log_is_divided_says_where_a_record_belongs",),
    ),
    Fault(
        "eight partitions are told of a new item",
        "online/stores/catalogue_marks.py",
        "range(address.partitions)",
        "range(8)",
        ("test_each_partition_is_marked_with_each_version",),
    ),
    Fault(
        "the metrics read eight lanes",
        "online/monitoring/job_metrics.py",
        "self._lane_keys, self._generation = lane_keys(lanes), generation",
        "self._lane_keys, self._generation = lane_keys(8), generation",
        ("test_lanes_are_added_up_by_verdict",),
    ),
    Fault(
        "a base of the log forgets into how many partitions it is divided",
        "offline/base/from_log.py",
        '            "partitions": previous.partitions,\n',
        "",
        slow="test_a_log_of_many_partitions_is_taken_in",
    ),
)
