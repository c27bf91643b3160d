"""What came of lists that interleave two rankers by team draft, and the verdict on the two."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

import msgspec

from features.statistics.betting import PairedDifferences, verdict_of


class InterleavingVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on two rankers, `first` and `second`.

    lists         that interleave the two
    liked         items liked of the picks of each
    counted, users  lists with more liked of one's picks than of the other's, the first ten of each user; their users
    share         of these lists that the first won; low, high: its 95 % confidence sequence
    evidence      e-values that the first, that the second is the better one
    decided       whether `low` to `high` leaves one half out
    wanted        lists still wanted until it is decided, if they are as those so far; None where no end is in sight
    """

    first: str
    second: str
    lists: int
    liked: tuple[int, int]
    counted: int
    users: int
    share: float
    low: float
    high: float
    evidence: tuple[float, float]
    decided: bool
    wanted: int | None

    def __str__(self) -> str:
        return f"{self.figures}; {self._conclusion()}"

    @property
    def figures(self) -> str:
        """What the first one wins, in words."""
        won = f"{self.first} wins {self.share:.3f} ({self.low:.3f}-{self.high:.3f})"
        return f"{won} of {self.counted} lists that count, of {self.users} users"

    def _conclusion(self) -> str:
        best = max(self.evidence)
        evidence = f"E = {best:.3g} that {self.first if self.evidence[0] == best else self.second} is better"
        if self.decided:
            return f"{evidence}: decided"
        if self.wanted is None:
            return f"{evidence}: undecided, no end in sight"
        return f"{evidence}: undecided, about {self.wanted} more lists wanted"


@dataclass
class Interleaving:
    """Lists that interleave two rankers. lists: how many; liked: items liked of the picks of each; differences: by user, of each
    list the sign of (liked of the first's picks - of the second's), where that is not 0."""

    lists: int = 0
    liked: tuple[int, int] = (0, 0)
    differences: PairedDifferences = field(default_factory=PairedDifferences)

    def add(self, user: Hashable, first: int, second: int) -> None:
        """Add a list of which so many items of each one's picks were liked."""
        self.lists += 1
        self.liked = (self.liked[0] + first, self.liked[1] + second)
        if first != second:
            self.differences.add(user, 1.0 if first > second else -1.0)

    def copy(self) -> "Interleaving":
        return Interleaving(self.lists, self.liked, self.differences.copy())

    def verdict(self, first: str, second: str) -> InterleavingVerdict:
        """The verdict, with the two rankers' names."""
        found = verdict_of(self.differences)
        share, low, high = ((1 + each) / 2 for each in (found.difference, found.low, found.high))
        return InterleavingVerdict(
            first=first,
            second=second,
            lists=self.lists,
            liked=self.liked,
            counted=found.lists,
            users=found.users,
            share=share,
            low=low,
            high=high,
            evidence=(found.better, found.worse),
            decided=found.decided,
            wanted=None if found.wanted is None else round(found.wanted * self.lists / max(found.lists, 1)),
        )


def liked_by_team(teams: Mapping[int, str], liked: Collection[int]) -> dict[str, int]:
    """Ranker → its picks that were liked. teams: item → the ranker that picked it.

    >>> liked_by_team({10: "a", 11: "b", 12: "b"}, {11, 12, 13})
    {'a': 0, 'b': 2}
    """
    found = dict.fromkeys(sorted(set(teams.values())), 0)
    for item_id in liked:
        if item_id in teams:
            found[teams[item_id]] += 1
    return found
