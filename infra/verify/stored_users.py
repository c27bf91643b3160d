"""Users that are only compared, as bytes: as objects a million of them with ten events each did not fit into 24 GB."""

from collections.abc import Iterator, Mapping

from features.fold.state import StoredUser, encode_stored_user
from features.fold.user import UserState, thaw_user


class StoredUsers(Mapping[int, UserState]):
    """Users by number, each made an object whenever it is read."""

    def __init__(self) -> None:
        self._stored: dict[int, bytes] = {}

    def put(self, user_id: int, stored: StoredUser) -> None:
        self._stored[user_id] = encode_stored_user(stored)

    def stored(self, user_id: int) -> bytes | None:
        """A user's bytes, as a base has them; None for one that is not there."""
        return self._stored.get(user_id)

    def __getitem__(self, user_id: int) -> UserState:
        return thaw_user(self._stored[user_id])

    def __iter__(self) -> Iterator[int]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)
