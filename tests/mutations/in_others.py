"""Faults of the model registry, of metrics, of replay and of offline."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a retired number is given out again",
        "models/registry/versions.py",
        (
            '    known += [int(label.split("-")[0]) for label in _retired_folders(models_dir, name) if label[:1].isdigit()]\n'
        ),
        "",
        ("test_rollback_goes_back_one_and_the_number_is_spent",),
    ),
    Fault(
        "rollback onto a broken version",
        "models/registry/versions.py",
        ("        verify_digests(folders[stays])\n"),
        "",
        ("test_no_rollback_onto_a_broken_version",),
    ),
    Fault(
        "another training's fresh folder is cleared",
        "models/registry/versions.py",
        "if old.stat().st_mtime < time.time() - STALE_STAGING_S:",
        "if True:",
        ("test_what_another_training_writes_is_left_alone_for_a_day",),
    ),
    Fault(
        "what dead trainings left stays for ever",
        "models/registry/versions.py",
        "if old.stat().st_mtime < time.time() - STALE_STAGING_S:",
        "if False:",
        ("test_what_another_training_writes_is_left_alone_for_a_day",),
    ),
    Fault(
        "the number given out is not noted",
        "models/registry/versions.py",
        ('        write_whole(base / LAST, f"{version}\\n".encode())\n'),
        "",
        ("test_the_record_of_numbers_is_written_with_each_version",),
    ),
    Fault(
        "nine is newer than ten",
        "models/registry/versions.py",
        "return read_manifest(folders[max(folders)]) if folders else None",
        "return read_manifest(folders[int(max(map(str, folders)))]) if folders else None",
        ("test_ten_is_newer_than_nine",),
    ),
    Fault(
        "a cut version is published",
        "models/registry/versions.py",
        ("    verify_digests(staged_folder)\n"),
        "",
        ("test_a_cut_version_is_not_published",),
    ),
    Fault(
        "two publishers get one number",
        "models/registry/versions.py",
        ("    with locked(base / LOCK):\n        version = _last_given"),
        ("    base.mkdir(exist_ok=True)\n    if True:\n        version = _last_given"),
        ("test_concurrent_publishers_get_a_number_each",),
    ),
    Fault(
        "log loss of a sure wrong answer is infinite",
        "models/training/row_metrics.py",
        "EPSILON, 1 - EPSILON)",
        "0, 1)",
        ("test_log_loss",),
    ),
    Fault(
        "ties count whole in the AUC",
        "models/training/row_metrics.py",
        "ties + (tie_sizes - 1) / 2",
        "ties + (tie_sizes - 1)",
        ("test_auc_is_the_share_of_pairs_in_order",),
    ),
    Fault(
        "users without both classes count in the AUC within users",
        "models/training/row_metrics.py",
        "good = ~np.isnan(values)",
        "good = np.ones(len(values), bool)",
        ("test_gauc_weighs_users_by_their_rows",),
    ),
    Fault(
        "held back events are lost beyond the bound",
        "infra/replay/perturbation.py",
        ("            yield held.popleft()\n    while held:"),
        ("            held.popleft()\n    while held:"),
        ("test_what_is_held_back_is_bounded_and_the_one_held_longest_goes_first",),
    ),
    Fault(
        "shuffled events keep their order",
        "infra/replay/perturbation.py",
        ("        chance.shuffle(block)\n"),
        "",
        (
            "test_the_seed_decides_and_each_stage_has_its_own_chance",
            "test_shuffled_rows_move_less_than_the_window_and_the_pace_stays",
        ),
    ),
    Fault(
        "copies are lost at the end",
        "infra/replay/perturbation.py",
        ("    for copies in (*wheel[place:], *wheel[:place]):\n        yield from copies\n"),
        "",
        ("test_copies_that_were_to_come_later_come_at_the_end",),
    ),
    Fault(
        "a replay goes on behind what was not acknowledged",
        "infra/replay/replayer.py",
        "return next(iter(self._open), self._next)",
        "return self._next",
        ("test_a_row_is_done_once_it_and_all_before_it_are_acknowledged",),
    ),
    Fault(
        "a replay of other rows goes on",
        "infra/replay/replayer.py",
        'and noted.get("last") == last',
        "",
        ("test_an_interrupted_replay_of_the_same_rows_is_known",),
    ),
    Fault(
        "a share of history is rounded up",
        "offline/datasets/dataset.py",
        "math.floor(history * dataset.rows + 1e-6)",
        "math.ceil(history * dataset.rows)",
        ("test_rows_and_cuts",),
    ),
    Fault(
        "an event's id depends on the rating's second",
        "offline/datasets/dataset.py",
        '{ts // 1000}"',
        '{ts // 60000}"',
        ("test_events_are_valid_and_their_ids_stable",),
    ),
    Fault(
        "repeated rows are kept",
        "offline/datasets/normalise.py",
        ("        order = order[np.concatenate([[True], ~repeated])]\n"),
        ("        pass\n"),
        ("test_exact_repetitions_count_once",),
    ),
    Fault(
        "rows are in the order of users",
        "offline/datasets/normalise.py",
        "np.lexsort((items, users, seconds))",
        "np.lexsort((items, seconds, users))",
        ("test_csv_and_parquet_are_the_same", "test_exact_repetitions_count_once", "test_the_installed_ml_100k"),
    ),
    Fault(
        "a row before a time is at that time",
        "offline/datasets/dataset.py",
        "return row + int(np.searchsorted(times, ts))",
        "return row + max(0, int(np.searchsorted(times, ts)) - 1)",
        ("test_the_first_row_at_or_after_a_time",),
    ),
    Fault(
        "novelty is of the last rows",
        "offline/evaluation/beyond_accuracy.py",
        "-np.log2(np.maximum(of.shares, least))",
        "-np.log2(np.maximum(1 - of.shares, least))",
        ("test_coverage_novelty_and_diversity",),
    ),
    Fault(
        "diversity counts items with themselves",
        "offline/evaluation/beyond_accuracy.py",
        "((sums**2).sum(1) - selves)",
        "((sums**2).sum(1))",
        ("test_coverage_novelty_and_diversity",),
    ),
)
