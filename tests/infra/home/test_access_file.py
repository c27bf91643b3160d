"""`./martlet keys`: what it writes into access.json is what the API then takes, and nothing else of the file changes."""

import json
import stat
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from features.errors import BadInput, Broken
from infra.cli.main import app
from infra.home.access_file import add_key, ensure_access, hash_keys, names, read_home_access, revoke_key
from infra.home.paths import Home
from infra.home.record import HomeRecord
from online.access.access import MAX_KEYS, Access, Caller, StoredKey
from online.access.api_keys import hashed
from online.access.rate_limits import Limit
from tests.infra.roles.new_homes import described_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home").make()
    ensure_access(made)
    return made


def test_a_new_home_has_an_operators_key_alone(home: Home) -> None:
    access = read_home_access(home)
    assert (access.keys, len(access.admin_key or "") >= 32) == ({}, True)
    before = home.access_file.read_bytes()
    ensure_access(home)
    assert home.access_file.read_bytes() == before


def test_a_key_is_added_by_its_digest_and_is_the_callers(home: Home) -> None:
    key = add_key(home, "shop", "read", Limit(5, 10))
    assert key not in home.access_file.read_text()
    assert read_home_access(home).key_ring.find(key) == Caller("shop", "read", Limit(5, 10))
    assert stat.S_IMODE(home.access_file.stat().st_mode) == 0o600
    with pytest.raises(BadInput, match="a name that no key has"):
        add_key(home, "shop", "write", None)
    assert add_key(home, "shop-2", "read", None) != key


def test_a_revoked_key_is_nobodys_and_the_others_stay(home: Home) -> None:
    old, new = add_key(home, "shop", "read", None), add_key(home, "shop-2", "write", None)
    revoke_key(home, "shop")
    ring = read_home_access(home).key_ring
    assert (ring.find(old), ring.find(new)) == (None, Caller("shop-2", "write", None))
    with pytest.raises(BadInput, match="one of admin_key, shop-2"):
        revoke_key(home, "shop")
    revoke_key(home, "admin_key")
    assert names(read_home_access(home)) == ["shop-2"]


def test_what_else_the_file_says_stays(home: Home) -> None:
    more = {"origins": ["https://shop.example"], "hosts": ["films.example"], "limit": {"per_second": 2, "burst": 3}}
    home.access_file.write_text(json.dumps({"keys": {"old": "k" * 16}, **more}))
    add_key(home, "new", "admin", None)
    found = json.loads(home.access_file.read_bytes())
    assert {name: found[name] for name in more} == more
    assert found["keys"]["old"] == "k" * 16


def test_keys_of_before_are_hashed_and_go_on_being_keys(home: Home) -> None:
    home.access_file.write_text(json.dumps({"keys": {"old": "k" * 16}, "admin_key": "a" * 16}))
    hash_keys(home)
    text = home.access_file.read_text()
    assert "k" * 16 not in text
    assert "a" * 16 not in text
    ring = read_home_access(home).key_ring
    assert ring.find("k" * 16) == Caller("old", "write", None)
    assert ring.find("a" * 16) == Caller("admin_key", "admin", None)
    hash_keys(home)
    assert home.access_file.read_text() == text


def test_a_file_that_is_wrong_or_missing_is_named_and_left(tmp_path: Path, home: Home) -> None:
    with pytest.raises(BadInput, match="a home that `up` or `features` has made"):
        add_key(Home(tmp_path / "none"), "shop", "read", None)
    home.access_file.write_text('{"kees": {}}')
    with pytest.raises(Broken, match="kees"):
        add_key(home, "shop", "read", None)
    assert home.access_file.read_text() == '{"kees": {}}'


def test_the_command_prints_the_key_alone(home: Home) -> None:
    runner, option = CliRunner(), ["--home", str(home.path)]
    added = runner.invoke(app, ["keys", "add", "shop", "--role", "read", *option])
    assert (added.exit_code, len(added.stdout.split())) == (0, 1)
    assert "every call of /v1 needs a key" in added.stderr
    assert read_home_access(home).key_ring.find(added.stdout.strip()) == Caller("shop", "read", None)
    listed = runner.invoke(app, ["keys", *option])
    assert "shop\tread\tno limit\tdigest" in listed.stdout
    assert "admin_key\tadmin\tno limit\tas it is sent" in listed.stdout
    revoked = runner.invoke(app, ["keys", "revoke", "shop", *option])
    assert "no keys are set: an API on this machine's loopback lets everyone" in revoked.stderr
    assert "one that other machines reach refuses all calls but those with admin_key" in revoked.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["add", "shop", "--role", "reader"], "read, write, admin"),
        (["add", "shop"], "read, write, admin"),
        (["add"], "a NAME"),
        (["hash", "shop"], "no name"),
        (["forget"], "list, add, revoke, hash"),
        (["revoke", "shop", "--role", "read"], "keys add NAME with them"),
        (["add", "shop", "--role", "read", "--burst", "3"], "both or neither"),
        (["add", "shop", "--role", "read", "--per-second", "0", "--burst", "3"], "above 0"),
        (["add", "shop", "--role", "read", "--per-second", "inf", "--burst", "3"], "above 0"),
    ],
)
def test_what_is_wrong_with_an_option_is_named(home: Home, words: list[str], expected: str) -> None:
    result = CliRunner().invoke(app, ["keys", *words, "--home", str(home.path)])
    assert isinstance(result.exception, BadInput)
    assert expected in str(result.exception)
    assert read_home_access(home).keys == {}


def test_one_key_too_many_is_refused_and_the_file_stays(home: Home) -> None:
    keys = {f"n{number}": StoredKey(hashed(f"k{number}"), "read") for number in range(MAX_KEYS)}
    content = msgspec.json.encode(Access(keys={**keys}))
    home.access_file.write_bytes(content)
    with pytest.raises(BadInput, match=f"at most {MAX_KEYS} keys"):
        add_key(home, "one more", "read", None)
    assert home.access_file.read_bytes() == content


def test_a_home_that_no_api_has_served_takes_its_first_key_by_the_command(tmp_path: Path) -> None:
    home = described_home(tmp_path / "made-by-features")
    runner = CliRunner()
    listed = runner.invoke(app, ["keys", "list", "--home", str(home.path)])
    assert (listed.exit_code, listed.stdout) == (0, "")
    added = runner.invoke(app, ["keys", "add", "shop", "--role", "write", "--home", str(home.path)])
    assert added.exit_code == 0
    assert read_home_access(home).key_ring.find(added.stdout.strip()) == Caller("shop", "write", None)
    assert read_home_access(home).admin_key


def test_where_the_file_can_not_be_made_it_says_what_would_make_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"access\.json: expected the file, which .*keys add.* got none: .*No such file"):
        ensure_access(Home(tmp_path / "no-folder"))


def test_keys_that_are_gone_from_a_home_that_has_served_are_not_made_up_for_in_silence(tmp_path: Path) -> None:
    home = described_home(tmp_path / "restored")
    record = HomeRecord(home)
    record.take_base(1)
    record.save()
    with pytest.raises(BadInput, match=r"access\.json: expected the file with the home's keys.* got none: restore it"):
        ensure_access(home)
    key = add_key(home, "ops", "admin", None)
    ensure_access(home)
    assert read_home_access(home).key_ring.find(key) == Caller("ops", "admin", None)


def test_only_a_key_that_is_added_makes_the_file_of_a_home_that_has_none(tmp_path: Path) -> None:
    home = described_home(tmp_path / "without")
    for change in (hash_keys, lambda each: revoke_key(each, "admin_key"), lambda each: revoke_key(each, "shop")):
        with pytest.raises(BadInput):
            change(home)
        assert not home.access_file.exists()
    add_key(home, "shop", "write", None)
    assert names(read_home_access(home)) == ["shop", "admin_key"]
