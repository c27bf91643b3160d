"""A quote that nothing closes costs its own line and no other; a field in quotes may go over several lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInput
from offline.datasets.own import csv_rows
from offline.datasets.own.csv_rows import LINE_LIMIT, header, read_csv
from offline.datasets.rejected_lines import Rejects


def read(path: Path, rejects: Rejects, quotes: bool, block: int) -> list[tuple[str, ...]]:
    columns = header(path, quotes)[1]
    tables = read_csv(path, columns, rejects, quotes, block)
    return [tuple((row[name] or b"").decode() for name in columns) for table in tables for row in table.to_pylist()]


def rows_of(
    folder: Path, text: str, quotes: bool = True, block: int = csv_rows.BLOCK_BYTES
) -> tuple[list[tuple[str, ...]], Rejects]:
    rejects = Rejects()
    (folder / "rows.csv").write_bytes(text.encode())
    return read(folder / "rows.csv", rejects, quotes, block), rejects


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_lone_quote_costs_its_own_line(tmp_path: Path, end: str) -> None:
    lines = [f"{at},x{at}" for at in range(200)]
    lines[5], lines[90] = '5,"Heroes', '90,"Villains'
    rows, rejects = rows_of(tmp_path, end.join(["id,title", *lines, ""]))
    assert rows == [tuple(line.split(",")) for at, line in enumerate(lines) if at not in (5, 90)]
    assert (rejects.count, rejects.remarks()) == (2, [])
    told = rejects.write(tmp_path / "bad").read_text()
    assert f'rows.csv\t{csv_rows.UNCLOSED}\t5,"Heroes\n' in told
    assert f'rows.csv\t{csv_rows.UNCLOSED}\t90,"Villains\n' in told


def test_a_file_that_does_not_quote_says_so(tmp_path: Path) -> None:
    text = 'id,title\n1,"Heroes\n2,"x"\n3,a "b\n'
    assert rows_of(tmp_path, text, quotes=False)[0] == [("1", '"Heroes'), ("2", '"x"'), ("3", 'a "b')]
    rows, rejects = rows_of(tmp_path, text)
    assert (rows, rejects.count) == ([("2", "x"), ("3", 'a "b')], 1)


def test_rows_of_several_lines_are_remarked(tmp_path: Path) -> None:
    rows, rejects = rows_of(tmp_path, 'id,a,b\n1,x,y\n2,"two\n\nlines, ""both""","of\nit"\n3,"",z\n4,"a\nb",\n')
    assert rows == [("1", "x", "y"), ("2", 'two\n\nlines, "both"', "of\nit"), ("3", "", "z"), ("4", "a\nb", "")]
    assert rejects.count == 0
    assert rejects.remarks() == [csv_rows.SEVERAL_LINES.format(count=2, file="rows.csv", first=3)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('id,a,b\n1,"x,y\n2,x,y\n3,x",y,z\n4,x,y\n', ["2", "4"]),
        ('id,a,b\n1,x,"\n2,x,y\n3,x,y', ["2", "3"]),
        ('id,a,b\n1,x,"y""\n2,x,y\n3,"x",y\n', ["2", "3"]),
        ('id,a,b\n1,"x"y,"z"\n2,"x,y\n', ["1"]),
    ],
)
def test_what_a_quote_does_not_close_as_it_should_stays_rows(tmp_path: Path, text: str, ids: list[str]) -> None:
    rows, rejects = rows_of(tmp_path, text)
    assert [row[0] for row in rows] == ids
    assert len(ids) + rejects.count == text.rstrip().count("\n")


def test_a_row_of_several_lines_has_a_bound_and_so_has_a_line(tmp_path: Path) -> None:
    long = "x" * 1_000 + "\n"
    rows, rejects = rows_of(tmp_path, 'id,a\n1,"' + long * (LINE_LIMIT // 1_000) + '"\n2,y\n')
    assert rows == [("2", "y")]
    assert rejects.count == LINE_LIMIT // 1_000 + 1
    with pytest.raises(BadInput, match=f"expected lines of less than {LINE_LIMIT} bytes, got a longer one"):
        rows_of(tmp_path, "id,a\n" + "x" * (csv_rows.BLOCK_BYTES + LINE_LIMIT))


def test_lines_of_either_end(tmp_path: Path) -> None:
    rows, rejects = rows_of(tmp_path, 'id,a\n1,x\r2,y\n3,"z\n4,w\n')
    assert rows == [("1", "x"), ("2", "y"), ("4", "w")]
    assert rejects.count == 1


FIELDS = st.text(st.sampled_from('ab,"\né'), max_size=5)


@given(rows=st.lists(st.tuples(FIELDS, FIELDS, FIELDS), max_size=12), block=st.integers(1, 40))
def test_what_is_quoted_as_it_should_be_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], block: int
) -> None:
    lines = (",".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows)
    text = "a,b,c\n" + "".join(f"{line}\n" for line in lines)
    found, rejects = rows_of(tmp_path_factory.mktemp("csv"), text, block=block)
    assert (found, rejects.count) == (rows, 0)


@given(
    lines=st.lists(st.text(st.sampled_from('a,"'), max_size=6).filter(str.strip), max_size=12), block=st.integers(1, 40)
)
def test_every_line_is_in_a_row_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], block: int
) -> None:
    text = "a,b\n" + "".join(f"{line}\n" for line in lines)
    found, rejects = rows_of(tmp_path_factory.mktemp("csv"), text, block=block)
    inside = sum(field.count("\n") for row in found for field in row)
    assert len(found) + inside + rejects.count == len(lines)


@pytest.mark.parametrize("word", ["", "NA", "N/A", "#N/A", "<NA>", r"\N", "null", "NULL", "None", "NaN", "NaT"])
def test_words_by_which_programs_say_that_there_is_nothing(tmp_path: Path, word: str) -> None:
    rows, _ = rows_of(tmp_path, f"id,title\n1,{word}\n2,Nadia\n")
    assert rows == [("1", ""), ("2", "Nadia")]
