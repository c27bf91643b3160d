"""Faults of homes: where they may lie, what they leave behind, and whose processes are theirs."""

from typing import Final

from tests.mutations.fault import Fault

PROCESSES: Final = "infra/system/processes.py"
NOTES: Final = "infra/home/process_notes.py"

FAULTS: Final = (
    Fault(
        "a process that nobody reaps is waited for",
        PROCESSES,
        "(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)",
        "process.is_running()",
        ("test_one_that_nobody_reaps_has_ended_all_the_same",),
    ),
    Fault(
        "a process has ended with its first thread",
        PROCESSES,
        "(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)",
        "process.status() != psutil.STATUS_ZOMBIE",
        ("test_one_lives_until_its_last_thread_has_ended",),
    ),
    Fault(
        "a full disk costs the logs of before",
        PROCESSES,
        "        shutil.copyfile(log, copy)\n        for number in range(copies, 1, -1):\n"
        "            with contextlib.suppress(FileNotFoundError):\n"
        '                log.with_suffix(f".log.{number - 1}").replace(log.with_suffix(f".log.{number}"))\n',
        "        for number in range(copies, 1, -1):\n"
        "            with contextlib.suppress(FileNotFoundError):\n"
        '                log.with_suffix(f".log.{number - 1}").replace(log.with_suffix(f".log.{number}"))\n'
        "        shutil.copyfile(log, copy)\n",
        ("test_where_there_is_no_room_nothing_is_lost",),
    ),
    Fault(
        "a copy of a home stops the home that it was made of",
        NOTES,
        "_FOLDER in content and not {*content[_FOLDER]} & {*_names_of(file.parent)}",
        "_FOLDER not in content",
        ("test_a_copy_of_a_home_that_runs_leaves_it_running",),
    ),
    Fault(
        "a home that was moved does not know what it has left",
        NOTES,
        '[str(folder.resolve()), f"{seen.st_dev}:{seen.st_ino}"]',
        "[str(folder.resolve()), str(folder.resolve())]",
        ("test_what_a_home_has_left_is_known_where_it_was_moved_and_where_its_disk_counts_anew",),
    ),
    Fault(
        "training data outlives its base",
        "infra/offline_jobs/base_folders.py",
        "for number in (numbers | learned) - stay - behind:",
        "for number in numbers - stay - behind:",
        ("test_training_data_goes_with_its_base",),
    ),
    Fault(
        "Flink writes checkpoints beside a home with a blank in its path",
        "infra/storage/file_store.py",
        '    return f"{_FILE}//{path}"',
        "    return path.as_uri()",
        ("test_a_checkpoint_is_found_in_a_folder_of_any_name",),
    ),
    Fault(
        "Kafka's data lies beside a home with an umlaut in its path",
        "infra/system/java_properties.py",
        "if 32 <= unit < 127 and",
        "if 32 <= unit and",
        ("test_of_java_properties_all_but_ascii_is_told_by_its_number",),
    ),
    Fault(
        "a home may lie where Java takes its path for two",
        "infra/cli/home_option.py",
        "if not {*_UNFIT}.isdisjoint(home) or",
        "if",
        ("test_a_path_that_is_more_than_a_path_to_an_engine_is_refused",),
    ),
)
