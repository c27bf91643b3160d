"""Files of users: what `init` proposes of them, and what a base has of them."""

from pathlib import Path
from typing import Any

import pytest

from features.base.reader import Base
from features.errors import BadInput
from features.fold.state import decode_stored_user, decode_user
from features.schema.tables import Schema, read_schema
from offline.base.from_dataset import make_base
from offline.datasets.dataset import open_dataset
from offline.datasets.own.description import write_description
from offline.datasets.own.proposal import propose
from offline.datasets.own.recogniser import recognise
from offline.datasets.user_profiles import PROFILES, read_profiles

pytestmark = pytest.mark.spark

AT = 1_700_000_000
USERS = [
    f"u{number},{'paid' if number % 3 else 'free'},tea|rain,{20 + number},yes,user {number} of many"
    for number in range(1, 31)
]
HEADER = "user_id,plan,interests,age,is_member,address"


def write(folder: Path, users: list[str], header: str = HEADER) -> Path:
    """A folder of two events a user, of users 1 to 20, and of users."""
    folder.mkdir(exist_ok=True)
    events = [f"u{number},i{item},view,{AT + 60 * number + item}" for number in range(1, 21) for item in (1, 2)]
    (folder / "events.csv").write_text("\n".join(["user_id,item_id,type,timestamp", *events]) + "\n")
    (folder / "items.csv").write_text("item_id,title\ni1,One\ni2,Two\n")
    (folder / "users.csv").write_text("\n".join([header, *users]) + "\n")
    return folder


def proposed(folder: Path) -> tuple[Schema, tuple[str, ...]]:
    proposal = propose(recognise([folder]))
    return read_schema(proposal.schema, "schema.toml"), proposal.doubts


def test_their_columns_become_attributes_but_texts_which_name_people(tmp_path: Path) -> None:
    schema, doubts = proposed(write(tmp_path / "shop", USERS))
    assert {name: (each.type, each.many) for name, each in schema.users.declared.items()} == {
        "plan": ("facet", False),
        "interests": ("facet", True),
        "age": ("number", False),
        "is_member": ("flag", False),
    }
    assert doubts == ("the column address of users is left out: it holds texts, which name people",)
    assert (
        "# plan: facet; 2 different in 30 of 30, such as 'paid', 'free'\n[users.plan]\n"
        in propose(recognise([tmp_path / "shop"])).schema
    )


def test_rows_that_are_doubtful_are_counted(tmp_path: Path) -> None:
    _, doubts = proposed(write(tmp_path / "shop", [*USERS, ",paid,tea,7,no,", "u1,free,tea,7,no,"]))
    assert doubts[:2] == (
        "1 rows of users have no id",
        "1 rows of users are of one that came before: what the last says counts",
    )


def test_a_schema_has_so_many_attributes_of_users_and_no_more(tmp_path: Path) -> None:
    names = [f"is_{number}" for number in range(33)]
    folder = write(tmp_path / "shop", ["u1" + ",yes" * 33], ",".join(["user_id", *names]))
    schema, doubts = proposed(folder)
    assert list(schema.users.declared) == names[:32]
    assert "the column is_32 of users is left out: a schema has 32 attributes" in doubts


@pytest.mark.parametrize("described", [True, False])
def test_a_base_has_what_files_say_of_users_whether_they_did_anything_or_not(
    spark: Any, tmp_path: Path, described: bool
) -> None:
    """By a description, and by what is recognised of a folder under a schema that is there. Of a user of several rows what the
    last one says counts, attribute by attribute."""
    folder = write(tmp_path / "shop", [*USERS, "u2,gold,,,,"])
    proposal = propose(recognise([folder]))
    schema = read_schema(proposal.schema, "schema.toml")
    if described:
        write_description(proposal.description, folder / "dataset.toml")
    dataset = open_dataset(str(folder), tmp_path / "data", schema)
    make_base(spark, dataset, 1.0, tmp_path / "bases" / "1", schema)
    base = Base(tmp_path / "bases" / "1")

    def has(user: str) -> tuple[dict[str, Any], int]:
        stored = base.stored_user(schema.ids.inside(user))
        assert stored is not None
        features = decode_user(decode_stored_user(stored).features)
        assert features.user_id == user
        return schema.users.read(features.attributes), sum(features.counts)

    assert base.manifest["users"] == 30
    rest = {"interests": ["tea", "rain"], "is_member": True}
    assert has("u1") == ({"plan": "paid", "age": 21, **rest}, 2)
    assert has("u2") == ({"plan": "gold", "age": 22, **rest}, 2)
    assert has("u30") == ({"plan": "free", "age": 50, **rest}, 0)
    assert len(read_profiles(dataset, schema)) == 30


def test_a_file_with_too_many_bad_rows_is_refused_and_few_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema, _ = proposed(write(tmp_path / "shop", USERS))
    long = "|".join(f"{number} {'x' * 120}" for number in range(64))
    many = [f"u{number},paid,{long},1,no," for number in range(2)]
    dataset = open_dataset(str(write(tmp_path / "shop", [*USERS[2:], *many])), tmp_path / "data", schema)
    assert dataset.rejected == 0, "64 values of 122 characters fit"
    bad = [f"{'u' * 129},paid,tea,1,no,"] * 2
    other = open_dataset(str(write(tmp_path / "few", [*USERS, *bad])), tmp_path / "data", schema)
    assert other.rejected == 2
    assert len(read_profiles(other, schema)) == 30
    with pytest.raises(BadInput, match=r"users\.csv: expected at most 10% bad lines, got 6 of 36"):
        open_dataset(str(write(tmp_path / "bad", [*USERS, *bad * 3])), tmp_path / "data", schema)
    dear = [f"u{number},paid,tea,old,yes," for number in range(1, 31)]
    with pytest.raises(BadInput, match=r"users\.csv, column age: expected a number, at least 90% of its values"):
        open_dataset(str(write(tmp_path / "dear", dear)), tmp_path / "data", schema)
    assert capsys.readouterr().out


def test_what_the_schema_does_not_declare_of_users_is_not_taken(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", USERS)
    schema, _ = proposed(folder)
    without = read_schema(schema.text().partition("[users.")[0], "schema.toml")
    dataset = open_dataset(str(folder), tmp_path / "data", without)
    assert not (dataset.ratings.parent / PROFILES).exists()
    whole = open_dataset(str(folder), tmp_path / "other", schema)
    assert all("address" not in each.attributes for each in read_profiles(whole, schema).values())


@pytest.mark.parametrize(
    ("name", "header", "rows", "why"),
    [
        ("orders", "order_id,customer_id,order_date,total", ["7,u1,2026-01-01,9"], "no column of item, time"),
        (
            "customer_orders",
            "order_id,customer_id,total",
            [f"{number},u{number % 4},9" for number in range(40)],
            "a log",
        ),
        ("visitors", "visitor_id,plan", ["u1,paid", *[",free"] * 3], "3 of 4 rows have no user"),
        ("user_likes", "user_id,item_id", ["u1,i1"], "no column of time"),
    ],
)
def test_a_log_is_no_file_of_users(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, header: str, rows: list[str], why: str
) -> None:
    folder = write(tmp_path / "shop", USERS)
    (folder / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    proposal = propose(recognise([folder]))
    assert [Path(each.file).name for each in proposal.description.users] == ["users.csv"]
    assert [each for each in proposal.doubts if each.startswith(f"{name}.csv is left out: ") and why in each]
    open_dataset(str(folder), tmp_path / "data", read_schema(proposal.schema, "schema.toml"))
    assert f"{name}.csv is left out: " in capsys.readouterr().out


def test_what_names_people_and_what_each_has_of_their_own_is_left_out(tmp_path: Path) -> None:
    rows = [f"u{at},Ann,{1000 + at},{at % 4},a{at},7,mornings,12/27" for at in range(1, 41)]
    header = "user_id,first_name,account_id,city_id,nick,ID,available,expires"
    schema, doubts = proposed(write(tmp_path / "shop", rows, header))
    declared = {name: each.type for name, each in schema.users.declared.items()}
    assert declared == {"city_id": "facet", "id": "facet", "available": "facet", "expires": "facet"}
    left_out = [each for each in doubts if "of users is left out" in each]
    assert left_out == [
        "the column first_name of users is left out: it names people",
        "the column account_id of users is left out: nearly each user has a value of their own",
        "the column nick of users is left out: it holds texts, which name people",
    ]
    dataset = open_dataset(str(tmp_path / "shop"), tmp_path / "data", schema)
    one = read_profiles(dataset, schema)[schema.ids.inside("u1")]
    assert schema.users.read(one.attributes) == {"city_id": "1", "id": "7", "available": "mornings", "expires": "12/27"}


def test_users_of_events_who_are_in_no_file_are_counted(tmp_path: Path) -> None:
    _, doubts = proposed(write(tmp_path / "shop", [f"v{number},paid" for number in range(9)], "customer_id,plan"))
    assert "20 of 20 users in events are in no file of users" in doubts
