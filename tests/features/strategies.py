"""Hypothesis strategies for logs that hit something: their length is drawn, what they take back is there, bounds are reached.

An element of a log is made of a few bytes, drawn at once: a log of a hundred events costs a hundred draws, and Hypothesis can
still cut it and make each element simpler.
"""

import random
import unicodedata
from typing import Final

from hypothesis import strategies as st

from features.contracts.served import ServedHead
from features.schema.tables import Schema
from features.types import (
    CLICK,
    DISLIKE,
    FORGET_USER,
    IMPRESSION,
    LIKE,
    NO_ID,
    PROFILE,
    RATING,
    UNDO,
    VIEW,
    Contribution,
    Event,
)
from features.units import DAY_MS
from tests.schemas import MOVIES, added, film

USER: Final = 7
START: Final = 30 * DAY_MS
"""Where the times of a log begin, ms."""
CATALOGUE: Final = {
    number: film(
        number,
        f"Film {number}",
        ("Drama", "Comedy", "War")[: number % 4] if number < 9 else (f"Genre {number}",),
        1950 + 7 * number,
    )
    for number in range(1, 41)
    if number != 9
}
"""Items 1 … 8, a few genres among them; 9 is unknown; 10 … 40 have a genre and a decade each, more than a user keeps."""

_KINDS: Final = (CLICK, VIEW, RATING, RATING, RATING, RATING, LIKE, LIKE, LIKE, LIKE, DISLIKE, IMPRESSION)
_RATINGS: Final = (400, 450, 500, 500, 370, 300, 250, 50)
_STEPS: Final = (0, 1, 1_000, 60_000, 60_000, 20 * 60_000, 3_600_000, 26 * 3_600_000)


def _pick(options: tuple[int, ...], byte: int) -> int:
    return options[byte % len(options)]


@st.composite
def logs(draw: st.DrawFn, min_size: int = 0, max_size: int = 120) -> list[Event]:
    """A user's log. Times move on, some events come late, one in ten comes again; a sixth are undos, most of an earlier event;
    now and then attributes are told; in every other log all is forgotten now and then."""
    log: list[Event] = []
    now, may_forget = START, draw(st.booleans())
    for number in range(draw(st.integers(min_size, max_size))):
        which, kind, item, step, other, rest = draw(st.binary(min_size=6, max_size=6))
        now += _pick(_STEPS, step)
        earlier = log[-1 - other % min(len(log), 30)] if log else None
        if earlier is not None and which >= 230:
            log.append(earlier)
        elif which >= 190:
            target = "none" if earlier is None or rest < 50 else earlier.event_id
            log.append(Event(f"e{number}", UNDO, USER, -1, 0, target, now))
        elif 182 <= which < 186:
            log.append(
                Event(f"e{number}", PROFILE, USER, NO_ID, 0, ("", '{"plan":"paid"}', '{"plan":"é"}')[item % 3], now)
            )
        elif which >= 186 and may_forget:
            log.append(Event(f"e{number}", FORGET_USER, USER, -1, 0, "", now))
        else:
            code = _pick(_KINDS, kind)
            late = _pick(_STEPS, rest) if rest >= 200 else 0
            item_id = 1 + item % 9 if which < 60 else 1 + item % 40
            log.append(
                Event(f"e{number}", code, USER, item_id, _pick(_RATINGS, other) * (code == RATING), "", now - late)
            )
    return log


def undoing(log: list[Event], seed: int) -> list[Event]:
    """A log with as many undos between: most of an event before, other undos and profiles among them, some of none or of
    themselves; and with events that come again."""
    rng = random.Random(seed)
    mixed: list[Event] = []
    for event in log:
        mixed.append(event)
        for _ in range(rng.choice((0, 1, 1, 2))):
            earlier, name = rng.choice(mixed[-30:]), f"u{len(mixed)}"
            if rng.random() < 0.2:
                mixed.append(earlier)
                continue
            target = rng.choice((*[earlier.event_id] * 6, "none", name))
            ts = max(0, event.ts + rng.choice((0, 0, 1, -1, -60_000)))
            mixed.append(Event(name, UNDO, USER, NO_ID, 0, target, ts, user=rng.choice(("", "", "", "ann", "zoë"))))
    return mixed


@st.composite
def profiles(draw: st.DrawFn) -> dict[str, object]:
    """Attributes of a user as the test schemas' PEOPLE has them."""
    words = st.text(st.characters(categories=["L", "Nd", "P", "S", "Zs"]), min_size=1, max_size=20)
    numbers = st.integers(-(10**15), 10**15) | st.floats(-1e15, 1e15)
    values = {
        "plan": words,
        "interests": st.lists(words, max_size=5),
        "born": numbers,
        "joined": st.integers(0, 2**63 - 1),
        "insider": st.booleans(),
        "about": st.text(max_size=50),
    }
    return draw(st.fixed_dictionaries({}, optional=values))


def contexts() -> st.SearchStrategy[dict[str, object]]:
    """Contexts as PEOPLE has them."""
    fields = {"device": st.sampled_from(["phone", "télé"]), "hour": st.integers(0, 23), "logged_in": st.booleans()}
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def events(draw: st.DrawFn, schema: Schema = MOVIES) -> Event:
    """Any event that the contract allows under a schema of films; its users have the attributes of PEOPLE, or none."""
    plain = [IMPRESSION, CLICK, VIEW, RATING, LIKE, DISLIKE, UNDO, FORGET_USER]
    kind = draw(st.sampled_from([*plain, PROFILE, PROFILE] if schema.users else plain))
    names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=64)
    ids = st.tuples(st.integers(0, 2**63 - 1), st.just("")) | outer_texts().map(
        lambda text: (MOVIES.ids.inside(text), text)
    )
    (user_id, user), (item_id, item) = draw(ids), draw(ids)
    target = draw(names) if kind == UNDO else ""
    if kind == PROFILE:
        target = schema.users.canonical(draw(profiles()), "attributes")
    return Event(
        draw(names),
        kind,
        user_id,
        item_id if kind < UNDO else NO_ID,
        draw(st.integers(10, 100)) * 5 if kind == RATING else 0,
        target,
        draw(st.integers(0, 2**53)),
        user=user,
        item=item if kind < UNDO else "",
        context=schema.context.canonical(draw(contexts()), "context") if schema.context else "",
    )


def outer_texts() -> st.SearchStrategy[str]:
    """Ids outside that are no numbers."""
    return st.text(st.characters(categories=["L", "Nd", "P", "S", "Zs"]), max_size=100).map(
        lambda text: unicodedata.normalize("NFC", f"x{text}")
    )


_ITEM_STEPS: Final = (0, 1_000, 240_000, 300_000, 3_000_000, 3_600_000, 20 * 3_600_000, 30 * 3_600_000)


@st.composite
def contributions(draw: st.DrawFn, min_size: int = 0, max_size: int = 200) -> list[Contribution]:
    """What one item is given and what is taken back of it, most of that given before; more spans of each size than are kept."""
    given: list[Contribution] = []
    now, scale = START, draw(st.sampled_from([1, 30, 400]))
    for _ in range(draw(st.integers(min_size, max_size))):
        which, kind, step, other, rest = draw(st.binary(min_size=5, max_size=5))
        now += scale * _pick(_ITEM_STEPS, step)
        if given and which >= 200:
            given.append(given[other % len(given)]._replace(sign=-1))
            continue
        code = _pick(_KINDS, kind)
        back = scale * _pick(_ITEM_STEPS, rest) * 3 if rest >= 200 else 0
        given.append(added(3, max(0, now - back), code, _pick(_RATINGS, other) * (code == RATING), 1))
    return given


@st.composite
def slates(draw: st.DrawFn, min_size: int = 0, max_size: int = 80) -> list[ServedHead]:
    """Lists shown to one user, one in seven of them again."""
    lists: list[ServedHead] = []
    now = START
    for number in range(draw(st.integers(min_size, max_size))):
        which, step, size, item, back = draw(st.binary(min_size=5, max_size=5))
        now += _pick((0, 1, 60_000), step)
        if lists and which >= 220:
            lists.append(lists[item % len(lists)])
        else:
            item_ids = tuple((item + at) % 40 for at in range(size % 6))
            lists.append(ServedHead(f"r{number}", USER, now - (back if back >= 128 else 0), item_ids))
    return lists


@st.composite
def co_visits(draw: st.DrawFn, min_size: int = 0, max_size: int = 60) -> list[tuple[int, int, int]]:
    """(ts, key, other item) of one item, each once, over some half-lives; several at the same time."""
    found: dict[tuple[int, int, int], None] = {}
    now = START
    for _ in range(draw(st.integers(min_size, max_size))):
        step, high, low, other = draw(st.binary(min_size=4, max_size=4))
        now += _pick((0, 0, 1, 3_600_000, DAY_MS, 5 * DAY_MS), step)
        found[now, (high - 128) * 2**56 + low, 1 + other % 25] = None
    return list(found)
