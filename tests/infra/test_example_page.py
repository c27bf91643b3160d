"""The page that `up` names: of a user whom the home knows."""

from pathlib import Path

import pytest

from benchmarks.harness.base_writer import write_small_base
from features.base.reader import Base
from features.fold.state import StoredUser, UserFeatures, encode_features, encode_stored_user
from features.ids import OuterId
from infra.up import example_page
from tests.schemas import SHOP


@pytest.mark.parametrize(
    ("users", "path"),
    [
        ({3: 3, 6: 6, 9: 9}, "/user.html?id=6"),
        ({3: 3, 9: 9}, "/user.html?id=9"),
        ({3: 3}, "/user.html?id=3"),
        ({-8: "Мария & co", -5: "u1"}, "/user.html?id=%D0%9C%D0%B0%D1%80%D0%B8%D1%8F+%26+co"),
        ({-8: -8}, "/"),  # forgotten: their id is not known
        ({}, "/"),
    ],
)
def test_it_is_of_a_user_whom_the_base_knows(tmp_path: Path, users: dict[int, OuterId], path: str) -> None:
    states = [
        (inside, encode_stored_user(StoredUser(encode_features(UserFeatures(outer)))))
        for inside, outer in users.items()
    ]
    write_small_base(tmp_path / "1", SHOP, {"cut": 0}, [], users=states)
    assert example_page(Base(tmp_path / "1")) == path
