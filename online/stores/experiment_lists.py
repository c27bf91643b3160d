"""The newest lists of experiments, in Redis: whichever API process takes an event about one knows the list's arms, and a list
counts once for each outcome."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from hiredis import pack_command

from features.keys import SHOWN_LISTS_KEY, SHOWN_ORDER_KEY

MAX_LISTS: Final = 100_000
"""Newest lists remembered; older ones are unlikely to get any events. Some 300 bytes each."""

# KEYS: lists: request id → whether it was acted on and liked ("0" or "1" each), then its arms; the order in which they came.
# ARGV: the number of lists remembered, a request id, its arms.
_NOTE: Final = """
if redis.call('HSETNX', KEYS[1], ARGV[2], '00' .. ARGV[3]) == 0 then return 0 end
if redis.call('RPUSH', KEYS[2], ARGV[2]) > tonumber(ARGV[1]) then
  redis.call('HDEL', KEYS[1], redis.call('LPOP', KEYS[2]))
end
return 1
"""
# KEYS: lists. ARGV: a request id, whether something of it was liked. Returns which outcomes are new, and the arms; nothing for a
# list that is not remembered, or for which all has been counted.
_ACT: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known then return false end
local acted, liked, arms = string.sub(known, 1, 1), string.sub(known, 2, 2), string.sub(known, 3)
local newly = ARGV[2] == '1' and liked == '0'
if acted == '1' and not newly then return false end
redis.call('HSET', KEYS[1], ARGV[1], '1' .. (newly and '1' or liked) .. arms)
return {acted == '0' and 1 or 0, newly and 1 or 0, arms}
"""
_read_arms = msgspec.json.Decoder(dict[str, str]).decode


def note_command(request_id: str, arms: Mapping[str, str], limit: int = MAX_LISTS) -> bytes:
    """The command that remembers a list, once."""
    keys = SHOWN_LISTS_KEY, SHOWN_ORDER_KEY
    return bytes(pack_command(("EVAL", _NOTE, 2, *keys, limit, request_id, msgspec.json.encode(arms))))


def act_command(request_id: str, liked: bool) -> bytes:
    """The command that notes an act about a list; `read_outcomes` reads its reply."""
    return bytes(pack_command(("EVAL", _ACT, 1, SHOWN_LISTS_KEY, request_id, int(liked))))


def read_outcomes(reply: Any) -> tuple[list[str], dict[str, str]]:
    """(outcomes that are new: acted, liked; arms by experiment) of an act's reply."""
    if reply is None:
        return [], {}
    acted, liked, arms = reply
    return [name for name, new in (("acted", acted), ("liked", liked)) if new], _read_arms(arms)
