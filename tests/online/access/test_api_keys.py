"""Stored keys: whoever has the key is found, and nobody else."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from online.access.api_keys import HASHED, KeyRing, hashed

KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=16, max_size=64).filter(
    lambda key: not key.startswith(HASHED)
)


@given(st.lists(KEYS, unique=True, max_size=8), KEYS)
def test_each_key_finds_its_caller_however_it_is_stored(keys: list[str], other: str) -> None:
    ring = KeyRing.of((key if number % 2 else hashed(key), number) for number, key in enumerate(keys))
    assert [ring.find(key) for key in keys] == list(range(len(keys)))
    assert (ring.find(other) is not None) == (other in keys)


def test_a_part_of_a_digest_is_nobodys_key() -> None:
    """Of some thousand keys two have digests that begin alike."""
    by_start: dict[str, str] = {}
    for number in range(100_000):
        key = f"the-key-number-{number}"
        start = hashlib.sha256(key.encode()).hexdigest()[:5]
        if start in by_start:
            break
        by_start[start] = key
    assert KeyRing.of([(by_start[start], "owner")]).find(key) is None


def test_a_digest_is_not_hashed_again() -> None:
    assert hashed(hashed("k" * 16)) == hashed("k" * 16) != "k" * 16
