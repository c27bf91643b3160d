"""What came of a slice, as it is written; without TensorFlow, so that who reads it needs none."""

from typing import Final

import msgspec

RESULT: Final = "result.json"


class SliceResult(msgspec.Struct, frozen=True, kw_only=True):
    """
    lists, users  new lists and their users
    ndcg10        of the new lists by ranker, before any had learned them
    learned       lists that the weights have learned from, 0 where there were too few to learn from
    megabytes     the most memory that it took
    """

    lists: int
    users: int
    ndcg10: dict[str, float]
    learned: int
    megabytes: int
