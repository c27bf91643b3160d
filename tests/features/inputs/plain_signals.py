"""Each signal as its definition says it: for every row of a catalogue, in plain Python."""

from collections import Counter, defaultdict
from math import exp, log2, sqrt

import numpy as np

from features.base.past_sessions import NEIGHBOURS, SAMPLE
from features.inputs.columns import popularity
from features.inputs.moment import NOT_POSITIVE, Moment
from features.inputs.released import MAX_LIFT
from features.inputs.signals import (
    EASE_FADE,
    EASE_SOURCES,
    LATEST_FADE,
    LATEST_LIKED,
    MAX_ACTED,
    RECENT_FADE,
    RECENT_LIKED,
    YEARS,
)

Strengths = dict[int, float]
"""By row, of those above 0."""


def liked(moment: Moment, count: int, fade: float) -> list[tuple[int, float]]:
    """(row, share) of the newest positive items, oldest first."""
    known = [moment.items.row_of.get(item_id, -1) for item_id, _ in moment.user.sequence[-count:]]
    rows = [row for row in known if 0 <= row < moment.size]
    return [(row, fade ** (len(rows) - 1 - at)) for at, row in enumerate(rows)]


def sources(moment: Moment, count: int, fade: float) -> list[tuple[int, float]]:
    """(row, share) of the newest positive items and of those that were rated and not liked, oldest first."""
    schema, positive = moment.items.schema, {item_id for item_id, _ in moment.user.sequence}
    taken = [(ts, item_id, 1.0) for item_id, ts in moment.user.sequence]
    newest = {item_id: ts for item_id, ts, kind, _ in moment.user.recent if len(schema.kind(kind).steps) > 1}
    taken += [(ts, item_id, NOT_POSITIVE) for item_id, ts in newest.items() if item_id not in positive]
    ordered = sorted(taken, key=lambda each: each[0])[-count:]
    rows = [(moment.items.row_of.get(item_id, -1), weight) for _, item_id, weight in ordered]
    known = [(row, weight) for row, weight in rows if 0 <= row < moment.size]
    return [(row, weight * fade ** (len(known) - 1 - at)) for at, (row, weight) in enumerate(known)]


def long_memory(moment: Moment) -> list[tuple[int, float]]:
    """(row, share) of all that the user's acts hide."""
    rows = sorted(moment.acted.tolist())
    last = max(MAX_ACTED - 1, 1)
    some = rows if len(rows) <= MAX_ACTED else [rows[int(at * (len(rows) - 1) / last)] for at in range(MAX_ACTED)]
    return [(row, 1.0) for row in some]


def neighbours(moment: Moment, kind: str, of: list[tuple[int, float]]) -> Strengths:
    """Of each row's neighbours by one kind, the weights times the row's share, summed."""
    found = defaultdict[int, float](float)
    for row, share in of:
        others, weights = moment.items.kinds[kind].near(row)
        for other, weight in zip(others.tolist(), weights.tolist(), strict=True):
            found[other] += weight * share
    return found


def popular(moment: Moment, half_life: float) -> Strengths:
    columns = moment.items.columns
    rows = slice(0, moment.size)
    likes = popularity(columns, rows, moment.at, half_life, positives=True)
    cold = not popularity(columns, slice(0, len(columns)), moment.at, 14.0, positives=True).any()
    values = popularity(columns, rows, moment.at, half_life) if cold else likes
    return dict(enumerate(values.tolist()))


def together(moment: Moment) -> Strengths:
    by_all = popular(moment, 14.0)
    return {
        row: value / sqrt(1 + by_all[row])
        for row, value in neighbours(moment, "together", sources(moment, RECENT_LIKED, RECENT_FADE)).items()
    }


def genre(moment: Moment) -> Strengths:
    facets, by_all = moment.items.columns.facets, popular(moment, 14.0)
    liking = dict(zip(moment.tastes.names, moment.tastes.values.sum(axis=0).tolist(), strict=True))
    found = {}
    for row in range(moment.size):
        names = values_of(moment, row)
        share = sum(max(liking.get(name, 0), 0) for name in names) / max(len(names), 1)
        found[row] = share * sqrt(by_all[row])
    assert len(facets)
    return found


def values_of(moment: Moment, row: int) -> list[str]:
    """The facet values of a row."""
    starts, counts, values = moment.items.columns.facets.runs
    return [moment.items.columns.facets.names[each] for each in values[starts[row] : starts[row] + counts[row]]]


def nearest_sessions(moment: Moment, sessions: list[tuple[int, list[int]]]) -> Strengths:
    """By the sessions of a history: (time of the last event, rows), oldest first."""
    began = moment.latest[0][1] if moment.latest else 0
    session = moment.session.tolist()
    last = {row: at for at, row in enumerate(session)}
    over = [(number, rows) for number, (end, rows) in enumerate(sessions) if end < began]
    newest = {row: [number for number, rows in over if row in rows][-SAMPLE:] for row in last}
    alike, ago = Counter[int](), dict[int, int]()
    for row, at in sorted(last.items(), key=lambda each: each[1]):
        for number in newest[row]:
            alike[number] += at + 1
            ago[number] = len(session) - at
    shared = sorted(alike)[-SAMPLE:]
    found = defaultdict[int, float](float)
    for number in sorted(shared, key=lambda number: (-alike[number], -number))[:NEIGHBOURS]:
        for row in sessions[number][1]:
            found[row] += alike[number] / ago[number]
    return found


def again(moment: Moment) -> Strengths:
    schema, found, said = moment.items.schema, defaultdict[int, float](float), dict[int, bool]()
    for ago, (item_id, _, kind, centi) in enumerate(reversed(moment.user.recent)):
        weight = schema.weight(kind, centi)
        if weight:
            said.setdefault(item_id, weight > 0)
        row = moment.items.row_of.get(item_id, -1)
        if said.get(item_id, True) and schema.is_interest(kind, centi) and 0 <= row < moment.size:
            found[row] += 1 / log2(2 + ago)
    return found


def lifts(moment: Moment) -> Strengths:
    """The lift of each item that may be shown again."""
    found = {}
    for row, ago in zip(*(each.tolist() for each in moment.released), strict=True):
        (found[row],) = moment.items.repeats.lifts(np.array([row]), np.array([ago])).tolist()
    return found


def segments(moment: Moment, known: dict[str, Strengths]) -> Strengths:
    """The weights of what the user's plan and interests like, summed."""
    has = moment.items.schema.users.read(moment.user.attributes)
    names = [f"plan:{plan}" for plan in (has.get("plan"),) if plan] + [
        f"interests:{each}" for each in has.get("interests", [])
    ]
    found = defaultdict[int, float](float)
    for name in names:
        for row, weight in known.get(name, {}).items():
            found[row] += weight
    return found


def plain_signals(
    moment: Moment, sessions: list[tuple[int, list[int]]], of_segments: dict[str, Strengths]
) -> dict[str, Strengths]:
    """The strengths of the allowed rows by each signal, of those above 0."""
    found = {
        "ease": neighbours(moment, "ease", sources(moment, EASE_SOURCES, EASE_FADE)),
        "similar": neighbours(moment, "similar", sources(moment, RECENT_LIKED, RECENT_FADE)),
        "together": together(moment),
        "popular_day": popular(moment, 1.0),
        "popular": popular(moment, 14.0),
        "genre": genre(moment),
        "nearest_sessions": nearest_sessions(moment, sessions),
        "again": again(moment),
        "due": {row: lift for row, lift in lifts(moment).items() if lift > 1},
        "segments": segments(moment, of_segments),
        "long_ease": neighbours(moment, "ease", long_memory(moment)),
        "long_similar": neighbours(moment, "similar", long_memory(moment)),
    }
    return {
        name: {row: value for row, value in of.items() if value > 0 and moment.allowed[row]}
        for name, of in found.items()
    }


def plain_released(moment: Moment, row: int) -> tuple[float, float]:
    """released, lift of a row."""
    lift = lifts(moment).get(row) if moment.allowed[row] else None
    return (0, 0) if lift is None else (1, min(max(log2(lift) / log2(MAX_LIFT), -1), 1))


def plain_likeness(moment: Moment, row: int) -> tuple[float, float]:
    """alike, era of a row."""
    of = liked(moment, LATEST_LIKED, LATEST_FADE)
    total, years = sum(share for _, share in of), moment.items.columns.years
    alike = era = 0.0
    for other, share in of:
        mine, its = set(values_of(moment, row)), set(values_of(moment, other))
        if mine and its:
            alike += share / total * len(mine & its) / sqrt(len(mine) * len(its))
        if years[row] > 0 and years[other] > 0:
            era += share / total * exp(-abs(int(years[row]) - int(years[other])) / YEARS)
    return alike, era
