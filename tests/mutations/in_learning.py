"""Faults of the learner."""

from typing import Final

from tests.mutations.fault import Fault

KILLED: Final = "test_whatever_kills_it_each_sample_is_learned_once_and_weights_are_published_once"

FAULTS: Final = (
    Fault(
        "an outage is a failure of its slice",
        "infra/learning/learner.py",
        "except Unavailable as error:  # which says nothing of the slice",
        "except ZeroDivisionError as error:",
        ("test_an_outage_is_no_failure_of_the_slice_and_it_is_learned_once_that_is_over",),
    ),
    Fault(
        "lists of fewer signals come again",
        "infra/learning/learner_files.py",
        'return meta.get("layout"), meta.get("signals")',
        'return meta.get("layout"), None',
        ("test_lists_of_other_columns_do_not_come_again",),
    ),
    Fault(
        "one user may weigh any amount in a slice",
        "offline/training_data/slice_lists.py",
        "if self._weights[user_id] + importance > MAX_WEIGHT:",
        "if False:",
        ("test_of_one_user_so_much_counts_and_what_is_left_out_is_counted",),
    ),
    Fault(
        "a heavy like counts as a light one",
        "offline/training_data/slice_lists.py",
        "self._weights[user_id] += importance",
        "self._weights[user_id] += 1",
        ("test_a_heavy_like_uses_up_more_of_a_users_weight",),
    ),
    Fault(
        "a sample that comes again is learned again",
        "offline/training_data/slice_lists.py",
        "elif sample.closed_ts < floor or (isinstance",
        "elif (isinstance",
        ("test_a_sample_that_comes_again_is_learned_once",),
    ),
    Fault(
        "what the weights have learned elsewhere comes again",
        "offline/training_data/slice_lists.py",
        "sample.served.at <= since",
        "sample.served.at < 0",
        ("test_what_the_weights_have_learned_elsewhere_is_left_out",),
    ),
    Fault(
        "a slice of one like is learned",
        "infra/learning/learning_rules.py",
        "return positives >= MIN_POSITIVES and seconds >= learning.slice_s",
        "return seconds >= learning.slice_s",
        ("test_a_slice_ends_by_time_or_by_likes_and_never_with_too_few",),
    ),
    Fault(
        "a learner that is behind takes a slice of any size",
        "infra/learning/learning_rules.py",
        "return records >= MAX_RECORDS or positives >= MAX_POSITIVES",
        "return False",
        ("test_a_slice_is_bounded_however_far_the_learner_is_behind",),
    ),
    Fault(
        "a candidate on trial is replaced each hour",
        "infra/learning/learning_rules.py",
        "    if labels.candidate is not None:\n",
        "    if False:\n",
        ("test_weights_become_a_candidate_when_the_judge_is_free_and_an_hour_is_over",),
    ),
    Fault(
        "weights that lost go on",
        "infra/learning/learning_rules.py",
        "if each is not None and each in labels.lost and fit:",
        "if False:",
        ("test_after_a_verdict_against_them_weights_begin_with_what_ranks_once",),
    ),
    Fault(
        "the learner begins anew with what it has published itself",
        "infra/learning/learning_rules.py",
        "others = [each for each in fit if each not in state.published]",
        "others = fit",
        ("test_what_the_learner_published_is_no_version_of_others",),
    ),
    Fault(
        "a clock that went back stops the learner for as long",
        "infra/learning/learning_rules.py",
        "published_at=min(state.published_at, now)",
        "published_at=state.published_at",
        ("test_a_clock_that_jumps_holds_the_learner_up_for_no_longer_than_its_rests",),
    ),
    Fault(
        "a version that ranks is removed",
        "infra/learning/learning_rules.py",
        "- named - {*newest}",
        "- {*newest}",
        ("test_versions_of_the_learner_alone_go_and_none_with_a_label_or_among_the_newest",),
    ),
    Fault(
        "what learns may rank unproved",
        "online/ranking/policy.py",
        "if file.learn is not None and file.judge is None:",
        "if False:",
        ("test_learning_without_a_judge_is_refused",),
    ),
    Fault(
        "a second learner does not wait",
        "infra/system/pid_lock.py",
        "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        ("test_a_second_one_waits_and_prints_for_whom",),
    ),
    Fault(
        "the newest version can be discarded",
        "models/registry/versions.py",
        "if version not in folders or version == max(folders) or version in in_use():",
        "if version not in folders or version in in_use():",
        ("test_an_older_version_is_discarded_for_good_and_the_newest_never",),
    ),
    Fault(
        "the gate compares with a version that does not rank",
        "models/training/promotion_gate.py",
        "for version in labels.order(list_versions(models_dir, name)):",
        "for version in reversed(list_versions(models_dir, name)):",
        slow="test_the_live_version_is_the_one_that_ranks_by_its_label",
    ),
    Fault(
        "a slice that is done begins again",
        "infra/learning/learner.py",
        "return msgspec.structs.replace(state, slice=number, offsets=offsets, floors=floors, attempts=0)",
        "return msgspec.structs.replace(state, slice=number, floors=floors, attempts=0)",
        slow=KILLED,
    ),
    Fault(
        "a wish to be forgotten waits for its slice",
        "infra/learning/learner.py",
        "if not self._pending.forgets:",
        "if not (self._pending.forgets and self._is_over()):",
        slow="test_a_wish_to_be_forgotten_holds_at_once_whatever_comes_of_its_slice",
    ),
    Fault(
        "a record that was read long ago takes back what others have written since",
        "infra/home/record.py",
        "before = self._on_disk() if self._home.record_file.exists() else Settings(**mine)",
        "before = Settings(**mine)",
        ("test_what_another_process_has_changed_meanwhile_stays",),
    ),
)
