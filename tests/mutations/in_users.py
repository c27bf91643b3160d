"""Faults of users' attributes, the context, and ranges of numbers."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a profile is not remembered",
        "features/fold/user.py",
        "        memory.add(key, Applied(event.ts, NO_ID, PROFILE, 0, False))\n",
        "",
        ("test_a_profile_that_comes_again_is_a_duplicate_and_an_undo_takes_none_back",),
    ),
    Fault(
        "a profile newer than the wish to be forgotten comes back",
        "features/fold/user.py",
        "newest = max((entry.ts for _, entry in state.memory.items()), default=0)",
        "newest = state.features.last_ts",
        ("test_attributes_are_forgotten_with_their_user_and_do_not_come_back",),
    ),
    Fault(
        "a profile is an act",
        "features/schema/tables.py",
        "CLICK <= code < UNDO or len(KINDS) <= code < PROFILE",
        "CLICK <= code < UNDO or len(KINDS) <= code",
        ("test_a_profile_is_a_kind_where_users_have_attributes_alone",),
    ),
    Fault(
        "users without attributes are stored with none",
        "features/fold/state.py",
        "isinstance(features, UserFeatures) and not features.attributes",
        "False",
        ("test_golden_bytes",),
    ),
    Fault(
        "users' attributes are not in the digest",
        "features/schema/tables.py",
        "            read_by_fold.append(self.users.rules())\n",
        "",
        ("test_its_text_means_the_same_and_another_meaning_has_another_digest",),
    ),
    Fault(
        "attributes are bounded by characters",
        "features/contracts/events.py",
        "(size := len(attributes.encode())) > MAX_PROFILE",
        "(size := len(attributes)) > MAX_PROFILE",
        ("test_a_wrong_profile_is_refused_by_field",),
    ),
    Fault(
        "a wrong context is ignored in a home that has one",
        "features/contracts/events.py",
        "if wire.context is not UNSET and schema.context:",
        "if isinstance(wire.context, dict) and schema.context:",
        ("test_a_context_is_checked_and_kept_where_the_schema_has_one",),
    ),
    Fault(
        "the record of a list forgets the context",
        "online/recommend/impression.py",
        "        context=dict(answer.context) or UNSET,\n",
        "",
        ("test_the_context_of_a_request_is_logged_with_its_list",),
    ),
    Fault(
        "a range ends before its end",
        "online/stores/number_columns.py",
        "matches &= column <= high",
        "matches &= column < high",
        ("test_a_mask_has_what_lies_within_all_ranges", "test_a_list_keeps_what_lies_in_the_range"),
    ),
    Fault(
        "a changed item keeps its numbers",
        "online/stores/item_store.py",
        "        self.numbers.put(row, item)\n",
        "        if item_id not in self._row_of:\n            self.numbers.put(row, item)\n",
        ("test_a_changed_item_is_in_other_ranges_at_once",),
    ),
)
