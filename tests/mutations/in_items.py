"""Faults of items: their attributes, how they are written, filtered and kept out of lists."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a band ends with what begins the next",
        "features/schema/attributes.py",
        "if start <= number]",
        "if start < number]",
        ("test_labels_come_first_wherever_the_schema_has_them",),
    ),
    Fault(
        "values of every facet stand bare",
        "features/schema/attributes.py",
        'prefix = "" if name == self.labels else f"{name}:"',
        'prefix = ""',
        ("test_what_is_no_first_facet_stands_behind_its_name",),
    ),
    Fault(
        "a decade begins with its first year after",
        "features/schema/attributes.py",
        "int(number) // 10 * 10",
        "(int(number) - 1) // 10 * 10",
        ("test_films_count_by_genre_as_given_and_by_decade",),
    ),
    Fault(
        "a facet may have any number of values",
        "features/schema/attribute_values.py",
        " or len(values) > MAX_FACET_VALUES",
        "",
        ("test_a_wrong_attribute_is_named_with_what_was_expected_and_what_came",),
    ),
    Fault(
        "a number may be true",
        "features/schema/attribute_values.py",
        "isinstance(value, int | float) and not isinstance(value, bool) and",
        "isinstance(value, int | float) and",
        ("test_a_wrong_attribute_is_named_with_what_was_expected_and_what_came",),
    ),
    Fault(
        "what the fold reads of items is not in the digest",
        "features/schema/tables.py",
        "[self.unit, self.kinds, self.items.rules(), self.together]",
        "[self.unit, self.kinds, self.together]",
        ("test_what_the_fold_reads_of_items_is_in_the_digest_and_nothing_else_is",),
    ),
    Fault(
        "a caller's unknown attribute is dropped silently",
        "features/contracts/items.py",
        "attributes.check(other), ts=ts",
        "attributes.fitting(other), ts=ts",
        ("test_a_wrong_attribute_is_named_with_what_was_expected_and_what_came",),
    ),
    Fault(
        "a patch forgets what it does not name",
        "features/contracts/items.py",
        "{**_fields_of(item, attributes), **fields}",
        '{"title": item.title, **fields}',
        ("test_a_change_keeps_what_it_does_not_name_and_null_takes_away",),
    ),
    Fault(
        "what is deleted comes back when the topic is read",
        "features/contracts/items.py",
        '        fields["deleted"] = True\n',
        "        pass\n",
        ("test_what_is_deleted_stays_what_it_was",),
    ),
    Fault(
        "a changed row is found by its old values",
        "online/stores/facets.py",
        "            rows = rows[~packed.is_changed[rows]]\n",
        "",
        ("test_it_is_what_was_put_last",),
    ),
    Fault(
        "a row that has changed twice is found by its values in between",
        "online/stores/facets.py",
        "            packed.added[number].discard(row)\n",
        "            pass\n",
        ("test_it_is_what_was_put_last",),
    ),
    Fault(
        "taking changes in loses them",
        "online/stores/facets.py",
        "np.concatenate([rows, more[:, 0]]), numbers.astype(np.int32))",
        "np.concatenate([rows, more[:, 1]]), numbers.astype(np.int32))",
        ("test_many_changes_are_taken_into_the_arrays_and_change_nothing",),
    ),
    Fault(
        "an item must have all values that are asked for of a facet",
        "online/stores/facets.py",
        "                having[rows[rows < size]] = True",
        "                having[rows[rows < size]] ^= True",
        ("test_a_mask_has_one_value_of_each_facet",),
    ),
    Fault(
        "what has expired is shown",
        "online/stores/item_store.py",
        "item.expires or FOREVER",
        "FOREVER",
        ("test_what_is_not_available_or_has_expired_is_in_no_list",),
    ),
    Fault(
        "what expires now is shown for a ms more",
        "online/stores/item_store.py",
        "self._showable_until[: len(self) if size is None else size] > at",
        "self._showable_until[: len(self) if size is None else size] >= at",
        ("test_what_is_not_available_or_has_expired_is_in_no_list",),
    ),
    Fault(
        "similar items are shown though they are sold out",
        "online/routes/items.py",
        "    shown = allowed[others]",
        "    shown = others != row",
        ("test_what_is_not_available_or_has_expired_is_in_no_list",),
    ),
    Fault(
        "of many lines only the first is written",
        "online/routes/item_writes.py",
        "                if not isinstance(each, LineFault):",
        "                if not isinstance(each, LineFault) and index == 0:",
        ("test_each_line_is_answered_for_and_only_good_ones_are_written",),
    ),
)
