"""The `seen` token (read your own writes): the log offset that must be folded for each user of a POST."""

import base64
import binascii

import msgspec

from features.types import MAX_ID

MAX_USERS = 100

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[tuple[int, int]])


def make_token(offsets: dict[int, int]) -> str | None:
    """Token of {user: n}, by the number inside, n the log offset after the user's newest record; None for more than 100 users."""
    if len(offsets) > MAX_USERS:
        return None
    return base64.urlsafe_b64encode(_encoder.encode(list(offsets.items()))).decode().rstrip("=")


def read_token(token: str) -> dict[int, int]:
    """{user: n} of a token. Raises ValueError for anything that is not one of ours."""
    try:
        pairs = _decoder.decode(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise ValueError("not a token of this API") from error
    if len(pairs) > MAX_USERS or any(not (-MAX_ID <= user <= MAX_ID and 0 <= n <= MAX_ID) for user, n in pairs):
        raise ValueError("not a token of this API")
    return dict(pairs)
