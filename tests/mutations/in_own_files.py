"""Faults of reading one's own files."""

from typing import Final

from tests.mutations.fault import Fault

FAULTS: Final = (
    Fault(
        "a lone quote takes the rows up to the next one",
        "offline/datasets/own/csv_rows.py",
        "return lines == rows and not",
        "return True or not",
        ("test_a_lone_quote_costs_its_own_line", "test_every_line_is_in_a_row_or_rejected"),
    ),
    Fault(
        "a quote closes wherever the next one is",
        "offline/datasets/own/csv_rows.py",
        'not in (b"", b"\\r", b"\\n", self._delimiter):\n                return 0',
        'not in (b"", b"\\r", b"\\n", self._delimiter):\n                pass',
        ("test_a_lone_quote_costs_its_own_line",),
    ),
    Fault(
        "a row of several lines may have any number of fields",
        "offline/datasets/own/csv_rows.py",
        'return count if self._fields(b"".join(lines[at : at + count])) == len(self._names) else 0',
        "return count",
        ("test_what_a_quote_does_not_close_as_it_should_stays_rows",),
    ),
    Fault(
        "rows of several lines are not remarked",
        "offline/datasets/own/csv_rows.py",
        "            if count > 1:\n",
        "            if count > 2:\n",
        ("test_rows_of_several_lines_are_remarked", "test_quotes_and_letters_that_are_doubtful"),
    ),
    Fault(
        "a row of bytes that are no UTF-8 is not counted by its fields",
        "offline/datasets/own/csv_rows.py",
        "elif is_utf8 or self._is_good(",
        "elif True or self._is_good(",
        ("test_text_that_is_not_utf8_is_read_all_the_same_and_remarked",),
    ),
    Fault(
        "users whose ids are no UTF-8 are merged",
        "offline/datasets/own/any_file.py",
        "good &= ~lost if name in ids else True",
        "pass",
        ("test_ids_are_not_merged_where_they_are_not_utf8",),
    ),
    Fault(
        "a byte order mark is a part of the first row",
        "offline/datasets/own/any_file.py",
        "if file.read(len(BOM_UTF8)) != BOM_UTF8:",
        "if True:",
        ("test_a_byte_order_mark_is_no_part_of_ndjson",),
    ),
    Fault(
        "what is doubtful of a file is not told",
        "offline/datasets/own/proposal.py",
        "*rejects.remarks(), ",
        "",
        ("test_quotes_and_letters_that_are_doubtful",),
    ),
    Fault(
        "files of items quote whatever their description says",
        "offline/datasets/own/item_rows.py",
        "rejects, (file.id,), file.quotes)",
        "rejects, (file.id,))",
        ("test_a_description_says_that_quotes_are_letters",),
    ),
    Fault(
        "a number with many digits is no value",
        "offline/datasets/own/typed_columns.py",
        '_DECIMAL: Final = r"^\\+?([0-9]+\\.?[0-9]*|',
        '_DECIMAL: Final = r"^\\+?([0-9]+\\.?[0-9]{0,12}|',
        ("test_any_decimal_notation_is_a_value",),
    ),
    Fault(
        "a gap makes a column of numbers one of text",
        "offline/datasets/own/item_survey.py",
        "known_names.attribute_name(column), without_nan(values)",
        "known_names.attribute_name(column), values",
        ("test_numbers_stay_numbers_whatever_their_digits_and_gaps",),
    ),
    Fault(
        "an event that is delivered twice counts twice",
        "offline/datasets/event_history.py",
        "np.sort(order[~again])",
        "np.sort(order)",
        ("test_rows_of_one_event_are_one_event",),
    ),
    Fault(
        "rows without an id are all one event",
        "offline/datasets/event_history.py",
        " & (events[order][1:] != 0)",
        "",
        ("test_rows_of_one_event_are_one_event",),
    ),
    Fault(
        "an export replaces the folder that it is to fill, where a disk may be mounted",
        "features/durable.py",
        "    parent = out if out.exists() else out.parent\n",
        "    parent = out.parent\n    out.exists() and out.rmdir()\n",
        ("test_an_empty_folder_stays_the_one_that_it_is_and_what_lies_beside_it_is_left_alone",),
    ),
    Fault(
        "an export removes what lies beside its folder",
        "offline/export_home.py",
        "    with named_folder(folder) as staging:\n",
        "    from features.durable import atomic_folder\n\n    with atomic_folder(folder) as staging:\n",
        (
            "test_an_empty_folder_stays_the_one_that_it_is_and_what_lies_beside_it_is_left_alone",
            "test_one_that_is_broken_off_leaves_all_as_it_was",
        ),
    ),
    Fault(
        "a year is a number of 32 bits at most",
        "offline/base/fold_workers.py",
        '("year", _I64)',
        '("year", pa.int32())',
        ("test_a_year_may_be_any_number_that_the_schema_takes",),
    ),
    Fault(
        "times of events are exported as numbers, and early ones are read as seconds",
        "offline/export_home.py",
        '("timestamp", pa.timestamp("ms", "UTC"))',
        '("timestamp", pa.int64())',
        ("test_events_of_the_first_years_come_back_at_their_times",),
    ),
    Fault(
        "an export lets lists of another home show what was deleted",
        "offline/export_home.py",
        "item.available and not item.deleted",
        "item.available",
        ("test_what_was_deleted_comes_back_out_of_all_lists",),
    ),
    Fault(
        "a folder's own description is not read",
        "offline/datasets/own/describe.py",
        "if (folder / FILE).is_file():",
        "if False:",
        (
            "test_attributes_may_be_called_as_columns_of_events_are",
            "test_the_description_in_a_folder_says_what_its_files_are",
        ),
    ),
    Fault(
        "files that are left out of a data set are not told",
        "offline/datasets/own/describe.py",
        "    found.remark_left_out(rejects)\n",
        "",
        ("test_what_is_not_read_of_a_folder_is_told",),
    ),
)
