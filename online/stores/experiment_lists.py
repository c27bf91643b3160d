"""The newest lists of experiments, in Redis: whichever API process takes an event about one knows the list's arms, and a list
counts once for each outcome: by the act that was the first, however often its command is sent."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from hiredis import pack_command

from features.keys import SHOWN_ACTS_KEY, SHOWN_LISTS_KEY, SHOWN_ORDER_KEY

MAX_LISTS: Final = 100_000
"""Newest lists remembered; older ones are unlikely to get any events. Some 300 bytes each, and 200 once it was acted on."""

# KEYS: lists: request id → whether it was acted on and liked ("0" or "1" each), then its arms; the order in which they came;
# acts: outcome and request id → the first act. ARGV: the number of lists remembered, a request id, its arms.
_NOTE: Final = """
if redis.call('HSETNX', KEYS[1], ARGV[2], '00' .. ARGV[3]) == 0 then return 0 end
if redis.call('RPUSH', KEYS[2], ARGV[2]) > tonumber(ARGV[1]) then
  local oldest = redis.call('LPOP', KEYS[2])
  redis.call('HDEL', KEYS[1], oldest)
  redis.call('HDEL', KEYS[3], 'acted:' .. oldest, 'liked:' .. oldest)
end
return 1
"""
# KEYS: lists, acts. ARGV: a request id, whether something of it was liked, an id of the act. Returns which outcomes are new by
# this act, and the arms; nothing for a list that is not remembered, or for which other acts count. An act that comes again, as
# its reply was lost, gets the same again.
_ACT: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known then return false end
local acted, liked, arms = string.sub(known, 1, 1), string.sub(known, 2, 2), string.sub(known, 3)
local function is_first(outcome, counted)
  if counted == '0' then redis.call('HSET', KEYS[2], outcome .. ARGV[1], ARGV[3]) return 1 end
  return redis.call('HGET', KEYS[2], outcome .. ARGV[1]) == ARGV[3] and 1 or 0
end
local newly_acted = is_first('acted:', acted)
local newly_liked = ARGV[2] == '1' and is_first('liked:', liked) or 0
if newly_acted + newly_liked == 0 then return false end
redis.call('HSET', KEYS[1], ARGV[1], '1' .. (newly_liked == 1 and '1' or liked) .. arms)
return {newly_acted, newly_liked, arms}
"""
_read_arms = msgspec.json.Decoder(dict[str, str]).decode


def note_command(request_id: str, arms: Mapping[str, str], limit: int = MAX_LISTS) -> bytes:
    """The command that remembers a list, once."""
    keys = SHOWN_LISTS_KEY, SHOWN_ORDER_KEY, SHOWN_ACTS_KEY
    return bytes(pack_command(("EVAL", _NOTE, 3, *keys, limit, request_id, msgspec.json.encode(arms))))


def act_command(request_id: str, liked: bool) -> bytes:
    """The command that notes an act about a list; `read_outcomes` reads its reply. Sent again it gets the same one."""
    act = secrets.token_hex(8)
    return bytes(pack_command(("EVAL", _ACT, 2, SHOWN_LISTS_KEY, SHOWN_ACTS_KEY, request_id, int(liked), act)))


def read_outcomes(reply: Any) -> tuple[list[str], dict[str, str]]:
    """(outcomes that are new: acted, liked; arms by experiment) of an act's reply."""
    if reply is None:
        return [], {}
    acted, liked, arms = reply
    return [name for name, new in (("acted", acted), ("liked", liked)) if new], _read_arms(arms)
