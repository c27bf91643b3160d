"""Users as base and log say that they are: as the specification has folded them, or as bytes, which are compared as they are. As
objects a million users with ten events each did not fit into 24 GB."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from features.fold.journal import hidden_items
from features.fold.state import StoredUser, decode_stored_user, encode_features, encode_stored_user
from features.fold.user import UserState, thaw_user


class Written(NamedTuple):
    """What Redis has of a user: the features' bytes, and what is hidden: item → until when."""

    features: bytes
    hidden: dict[int, int]


def written_of(stored: StoredUser) -> Written:
    """What Redis has of a stored user."""
    return Written(stored.features, hidden_items(stored.records, stored.journal))


class ExpectedUsers(Mapping[int, UserState]):
    """Users by number."""

    @abstractmethod
    def written(self, user_id: int) -> Written | None:
        """What Redis has of a user; None of one that the log does not touch."""


class FoldedUsers(ExpectedUsers):
    """Users as objects."""

    def __init__(self) -> None:
        self._users: dict[int, UserState] = {}

    def __setitem__(self, user_id: int, state: UserState) -> None:
        self._users[user_id] = state

    def __getitem__(self, user_id: int) -> UserState:
        return self._users[user_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._users)

    def __len__(self) -> int:
        return len(self._users)

    def written(self, user_id: int) -> Written | None:
        state = self._users.get(user_id)
        if state is None:
            return None
        return Written(encode_features(state.features), {item: until for item, _, until in state.seen.items()})


class StoredUsers(ExpectedUsers):
    """Users as bytes, each made an object whenever it is read."""

    def __init__(self) -> None:
        self._stored: dict[int, bytes] = {}

    def put(self, user_id: int, stored: StoredUser) -> None:
        self._stored[user_id] = encode_stored_user(stored)

    def stored(self, user_id: int) -> bytes | None:
        """A user's bytes, as a base has them; None for one that is not there."""
        return self._stored.get(user_id)

    def written(self, user_id: int) -> Written | None:
        stored = self._stored.get(user_id)
        return None if stored is None else written_of(decode_stored_user(stored))

    def __getitem__(self, user_id: int) -> UserState:
        return thaw_user(self._stored[user_id])

    def __iter__(self) -> Iterator[int]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)
