"""Seen tokens: what a token gives back, and what is refused."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.types import MAX_ID
from online.http.seen_token import MAX_USERS, make_token, read_token

ids = st.integers(0, MAX_ID)


@given(st.dictionaries(ids, ids, max_size=100))
def test_a_token_gives_back_what_it_was_made_of(offsets: dict[int, int]) -> None:
    token = make_token(offsets)
    assert token is not None
    assert read_token(token) == offsets


@given(st.text(max_size=60))
def test_any_other_text_is_refused_or_harmless(text: str) -> None:
    try:
        assert all(0 <= user <= MAX_ID and 0 <= n <= MAX_ID for user, n in read_token(text).items())
    except ValueError as error:
        assert "token" in str(error)


def test_a_token_for_too_many_users_is_none() -> None:
    assert make_token(dict.fromkeys(range(101), 1)) is None


def forged(users: int) -> str:
    """A token that nobody gave out."""
    pairs = msgspec.msgpack.encode([(user, 1) for user in range(users)])
    return base64.urlsafe_b64encode(pairs).decode().rstrip("=")


def test_a_token_may_name_a_hundred_users_and_a_forged_one_no_more() -> None:
    assert make_token(dict.fromkeys(range(MAX_USERS), 1)) == forged(MAX_USERS)
    assert len(read_token(forged(MAX_USERS))) == MAX_USERS == 100
    with pytest.raises(ValueError, match="token"):
        read_token(forged(MAX_USERS + 1))
