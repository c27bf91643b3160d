"""dataset.toml: what is written is read back, and what is wrong in it is named."""

from pathlib import Path

import pytest

from features.errors import BadInput
from offline.datasets.own.description import (
    Description,
    EventFile,
    ItemFile,
    read_description,
    write_description,
)

WHOLE = Description(
    "a-shop",
    "wall",
    (
        EventFile(
            "/d/e.csv",
            "u",
            "i",
            "t",
            "k",
            kinds={"In den Korb": "add_to_cart"},
            values={"purchase": "Preis €"},
            scales={"purchase": 0.01},
        ),
        EventFile("/d/c.csv", "u", 'i "x"', "t", every="click", quotes=False),
    ),
    (ItemFile("/d/i.parquet", "id", "name", ("brand", "tags\\all")),),
)


RATINGS = "name = 'a'\n[[events]]\nfile='a'\nuser='u'\nitem='i'\ntime='t'\nevery='rating'\n"


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    for description in (WHOLE, Description("empty")):
        write_description(description, tmp_path / "dataset.toml")
        assert read_description(tmp_path / "dataset.toml") == description


def test_a_file_is_found_from_where_the_description_is(tmp_path: Path) -> None:
    text = "name = 'a'\n[[items]]\nfile = 'data/i.csv'\nid = 'id'\n[[items]]\nfile = '/d/i.csv'\nid = 'id'"
    (tmp_path / "dataset.toml").write_text(text)
    description = read_description(tmp_path / "dataset.toml")
    assert description.files() == [tmp_path / "data" / "i.csv", Path("/d/i.csv")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("name = ", "TOML"),
        ("[[events]]\nfile = 'a'", "name"),
        ("name = 'a'\nclock = 'mine'", "clock"),
        ("name = 'a'\n[[events]]\nfile = 'a'\nuser = 'u'\nitem = 'i'\ntime = 1\nkind = 'k'", r"events\[0\]\.time"),
        ("name = 'a'\n[[events]]\nfile = 'a'\nuser = 'u'\nitem = 'i'\ntime = 't'", "got neither"),
        ("name = 'a'\n[[events]]\nfile='a'\nuser='u'\nitem='i'\ntime='t'\nkind='k'\nevery='click'", "got both"),
        ("name = '../shop'", r"name: expected a name of .* got '\.\./shop'"),
        ("name = 'a shop'", "got 'a shop'"),
        ("name = ''", "got ''"),
        ("name = 'log-3'", r"expected another name than .*log-N"),
        ("name = 'none'\n[[items]]\nfile = 'a'\nid = 'b'", "expected another name than none"),
        ("name = 'a'\n[[item]]\nid = 'a'", "item"),
        (RATINGS + "values = {rating = 'r'}\nscales = {rating = 0.0}", r"events\[0\]\.scales.*expected .* > 0"),
        (RATINGS + "values = {rating = 'r'}\nscales = {rating = nan}", r"events\[0\]\.scales"),
        (RATINGS + "scales = {rating = 0.5}", r"scales: expected kinds that `values` names a column for, got 'rating'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(BadInput, match=error):
        read_description(tmp_path / "dataset.toml")
