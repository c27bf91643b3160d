"""The attributes of a data set's users, as a schema takes them."""

from collections.abc import Callable
from pathlib import Path

from offline.datasets.dataset import open_dataset
from offline.datasets.user_profiles import AT_ONCE, PROFILES, forget_profiles, read_profiles, write_profiles
from tests.offline.conftest import Row
from tests.schemas import MOVIES, peopled


def test_they_are_what_was_written_but_what_does_not_fit_and_those_who_are_forgotten(
    tmp_path: Path, write_folder: Callable[..., Path], some_rows: list[Row]
) -> None:
    schema = peopled("movies")
    dataset = open_dataset(str(write_folder(some_rows)), tmp_path / "data", schema)
    path = dataset.ratings.parent / PROFILES
    assert read_profiles(dataset, schema) == {}
    anna = schema.ids.inside("anna")
    many = [(1000 + number, '{"insider":true}') for number in range(AT_ONCE)]
    write_profiles(
        [("anna", '{"plan":"gold","shoes":46}'), (7, '{"born":"long ago"}'), (8, '{"born":1984}'), *many], path
    )
    found = read_profiles(dataset, schema)
    assert (found[anna], found[8]) == (("anna", '{"plan":"gold"}'), ("", '{"born":1984}'))
    assert 7 not in found
    assert len(found) == 2 + len(many)
    assert read_profiles(dataset, MOVIES) == {}
    told: list[str] = []
    read_profiles(dataset, schema, told.append)
    assert told == ["mine: 1 users have a born that is none by this schema, and do without"]
    forget_profiles(dataset, schema, {8, anna})
    assert read_profiles(dataset, schema).keys() == {user for user, _ in many}
    write_profiles([], path)
    assert read_profiles(dataset, schema) == {}


def test_of_a_user_of_several_rows_the_last_one_counts_attribute_by_attribute(tmp_path: Path) -> None:
    folder, schema = tmp_path / "shop", peopled("movies")
    folder.mkdir()
    (folder / "ratings.csv").write_text("user_id,item_id,rating,timestamp\n5,1,4,900000000\n")
    (folder / "users.csv").write_text("user_id,plan,born\n5,paid,1984\n5,gold,\n6,,\n")
    dataset = open_dataset(str(folder), tmp_path / "data", schema)
    assert read_profiles(dataset, schema) == {5: ("", '{"plan":"gold","born":1984}')}
