"""Faults of the fold of items, of co-visits and of decay."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "decay is rounded up",
        "features/fold/decay.py",
        "return (weight * factor) >> shift if weight >= 0",
        "return -((-weight * factor) >> shift) if weight >= 0",
        ("test_known_values", "test_what_was_added_can_be_taken_back", "test_the_factor_gives_the_same_integer"),
    ),
    Fault(
        "decay goes backwards in time",
        "features/fold/decay.py",
        ("    if elapsed <= 0:\n        return weight\n"),
        ("    elapsed = abs(elapsed)\n    if not elapsed:\n        return weight\n"),
        ("test_known_values", "test_more_time_never_leaves_more"),
    ),
    Fault(
        "the weakest neighbours come first",
        "features/fold/co_visits.py",
        "best = sorted((-weight, other)",
        "best = sorted((weight, other)",
        ("test_weights_halve_in_a_fortnight_and_equal_ones_are_ordered_by_id",),
    ),
    Fault(
        "a co-visit is taken back twice",
        "features/fold/co_visits.py",
        "if weight < 0 and visit not in self._undone:",
        "if weight < 0:",
        ("test_what_is_taken_back_keeps_its_slot",),
    ),
    Fault(
        "stored marks of taking back are inverted",
        "features/fold/co_visits.py",
        "strict=True) if undone}",
        "strict=True) if not undone}",
        ("test_stopping_anywhere_and_going_on_from_the_stored_state_changes_nothing",),
    ),
    Fault(
        "the oldest co-visits stay",
        "features/fold/co_visits.py",
        "visit = self._visits.pop(0)",
        "visit = self._visits.pop()",
        ("test_the_newest_are_kept_and_the_stored_forms_are_bounded",),
    ),
    Fault(
        "a co-visit meets one side alone",
        "features/fold/co_visits.py",
        ("        slots.append((other, ts, key, item_id, sign * weight))\n"),
        "",
        ("test_a_contribution_meets_each_partner_from_both_sides",),
    ),
    Fault(
        "an item's oldest bucket stays",
        "features/fold/item.py",
        "            del buckets[0]",
        "            del buckets[-1]",
        ("test_the_limits_of_buckets_do_not_depend_on_order_either",),
    ),
    Fault(
        "an item's first time is its newest",
        "features/fold/item.py",
        "else min(features.first_ts, ts)",
        "else max(features.first_ts, ts)",
        ("test_totals_are_sums",),
    ),
    Fault(
        "squares of ratings are not taken back",
        "features/fold/item.py",
        "features.rating_sq += sign * centi * centi",
        "features.rating_sq += centi * centi",
        ("test_totals_are_sums",),
    ),
    Fault(
        "a list that comes again counts again",
        "features/fold/impressions.py",
        ("    if memory.get(key) is not None:\n        return DUPLICATE\n"),
        "",
        ("test_a_list_that_comes_again_adds_nothing_whatever_it_says",),
    ),
    Fault(
        "a late list counts",
        "features/fold/impressions.py",
        ("    if memory.is_late(head.ts, key):\n        return LATE\n"),
        "",
        ("test_what_is_older_than_all_that_is_remembered_is_late_once_memory_is_full",),
    ),
    Fault(
        "merged impressions are one contribution",
        "features/fold/item.py",
        "    features.n += count",
        "    features.n += 1",
        ("test_impressions_of_a_day_at_once_are_the_same_bytes_as_one_by_one",),
    ),
    Fault(
        "merged impressions end when they began",
        "features/fold/item.py",
        "        features.last_ts = newest",
        "        features.last_ts = oldest",
        ("test_impressions_of_a_day_at_once_are_the_same_bytes_as_one_by_one",),
    ),
    Fault(
        "impressions of two days are merged",
        "features/fold/impressions.py",
        "of_day = days.setdefault(ts // DAY_MS, {})",
        "of_day = days.setdefault(ts // DAY_MS // 2, {})",
        (
            "test_an_item_shown_in_several_lists_is_said_once_a_day_with_its_count_and_times",
            "test_impressions_of_a_day_at_once_are_the_same_bytes_as_one_by_one",
        ),
    ),
)
