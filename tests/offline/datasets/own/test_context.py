"""What files of events say of circumstances: columns are proposed, read as the schema says, and kept."""

from pathlib import Path

import pytest

from features.errors import BadInput
from features.schema.tables import read_schema
from offline.datasets.dataset import open_dataset, whole_rows
from offline.datasets.own.describe import MAX_CONTEXT_VALUES
from offline.datasets.own.description import FILE, read_description
from offline.datasets.own.proposal import propose
from offline.datasets.own.recogniser import recognise

HEADER = "user_id,item_id,timestamp,type,deviceCategory,hour,referrer,browser\n"
AT = 1_700_000_000


def write(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    """A folder of events. rows: what stands in the columns deviceCategory, hour and browser."""
    folder.mkdir()
    lines = [
        f"u{at},A{at},{AT + at},view,{device},{hour},r{at},{browser}\n"
        for at, (device, hour, browser) in enumerate(rows)
    ]
    (folder / "events.csv").write_text(HEADER + "".join(lines))
    return folder


def contexts(folder: Path, data: Path, schema: str) -> list[str]:
    dataset = open_dataset(str(folder), data, read_schema(f'preset = "shop"\n{schema}', "schema.toml"))
    return [row[-1] for row in whole_rows(dataset, 0, dataset.rows)]


def test_columns_of_known_names_are_proposed(tmp_path: Path) -> None:
    """But those of one value alone, and those of too many, which is said; blank and missing values are none."""
    rows = [(("phone", "tv", "", " ")[at % 4], "7", f"b{at}") for at in range(MAX_CONTEXT_VALUES + 1)]
    proposal = propose(recognise([write(tmp_path / "shop", rows)]))
    schema = read_schema(proposal.schema, "schema.toml")
    assert {name: each.type for name, each in schema.context.declared.items()} == {"device_category": "facet"}
    assert "# device_category of events: 2 different in 51 of 101, such as 'phone', 'tv'" in proposal.schema
    assert [(each.name, each.filled, each.values) for each in proposal.of_context] == [
        ("device_category", 51, ("phone", "tv"))
    ]
    (events,) = proposal.description.events
    assert events.context == {"device_category": "deviceCategory"}
    assert "the column browser of events is left out: more than 100 different values" in proposal.doubts
    assert contexts(tmp_path / "shop", tmp_path / "data", proposal.schema.partition('"\n')[2])[:4] == [
        '{"device_category":"phone"}',
        '{"device_category":"tv"}',
        "",
        "",
    ]


def test_what_one_named_is_read_by_the_schema(tmp_path: Path) -> None:
    """A column that the schema calls so is taken, be its name known or not; one that dataset.toml names, too, whatever it is
    called, and what the schema of then did not name is there under one that does."""
    folder = write(tmp_path / "shop", [("phone", "7", "x"), ("tv", "", "y"), ("phone", "8.5", "")])
    hour = '[context.hour]\ntype = "number"\n'
    assert contexts(folder, tmp_path / "data", hour) == ['{"hour":7}', "", '{"hour":8.5}']
    described = (
        'name = "shop"\n[[events]]\nfile = "events.csv"\nuser = "user_id"\nitem = "item_id"\ntime = "timestamp"\n'
        'kind = "type"\ncontext = {hour = "hour", device = "deviceCategory"}\n'
    )
    (folder / FILE).write_text(described)
    assert contexts(folder, tmp_path / "again", hour) == ['{"hour":7}', "", '{"hour":8.5}']
    device = '[context.device]\ntype = "facet"\n'
    assert contexts(tmp_path / "again" / "shop", tmp_path / "again", device + hour) == [
        '{"device":"phone","hour":7}',
        '{"device":"tv"}',
        '{"device":"phone","hour":8.5}',
    ]


def test_what_is_none_of_a_column_is_refused_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", [("phone", "noon", "x"), ("tv", "7", "y")])
    with pytest.raises(BadInput, match=r"events.csv, column hour: expected a number.*, got 1 of 2.*noon"):
        contexts(folder, tmp_path / "data", '[context.hour]\ntype = "number"\n')


def test_a_name_that_a_schema_can_not_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(
        'name = "shop"\n[[events]]\nfile = "e.csv"\nuser = "u"\nitem = "i"\ntime = "t"\nevery = "view"\n'
        'context = {"Device type" = "d"}\n'
    )
    with pytest.raises(BadInput, match=r"events\[0\].context: expected names of small letters.*, got 'Device type'"):
        read_description(path)
