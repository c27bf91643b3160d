"""Segments: which ones a user's attributes name, and what is known of them."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.arrays import BoolArray
from features.base.reader import read_segments
from features.base.segments import SEGMENT_ARRAYS, Segments, segments_of, segments_of_context
from features.errors import Broken
from features.recall.sparse import ROW, values_of
from features.schema.tables import read_schema
from tests.schemas import MOVIES, peopled

IDS = np.array([30, 10, 20])
ALL: BoolArray = np.ones(3, bool)


def arrays(found: dict[str, list[tuple[int, float]]]) -> list[object]:
    """Segment → (item, weight)."""
    names = np.frombuffer(msgspec.json.encode(list(found)), np.uint8)
    pairs = [pair for items in found.values() for pair in items]
    values = (
        np.cumsum([0, *map(len, found.values())]),
        [item_id for item_id, _ in pairs],
        [weight for _, weight in pairs],
    )
    kinds = list(SEGMENT_ARRAYS.values())[1:]
    return [names, *(np.array(each, kind) for each, kind in zip(values, kinds, strict=True))]


def segments(found: dict[str, list[tuple[int, float]]]) -> Segments:
    return Segments(IDS, *arrays(found))  # type: ignore[arg-type]  # of as many types


def strengths(known: Segments, names: list[str], allowed: BoolArray = ALL) -> dict[int, float]:
    keys = known.spread(names, allowed)
    return {int(IDS[key & ROW]): round(float(value), 6) for key, value in zip(keys, values_of(keys), strict=True)}


FOUND = {"plan:gold": [(10, 0.5), (99, 0.4), (20, 0.25)], "plan:free": [(30, 0.125)], "insider:true": [(20, 1.0)]}


def test_numbers_with_bands_name_segments_by_them() -> None:
    """The digest stays: nothing that is folded goes by bands."""
    plain = read_schema('preset = "shop"\n[users.age]\ntype = "number"\n[context.hour]\ntype = "number"\n', "x")
    bands = read_schema(
        'preset = "shop"\n[users.age]\ntype = "number"\nbands = [0, 18, 30.5]\n'
        '[context.hour]\ntype = "number"\nbands = [6, 12]\n',
        "x",
    )
    assert bands.digest == plain.digest
    assert read_schema(bands.text(), "x").users.declared == bands.users.declared
    for age, band in ((-1, []), (0, ["age:0-18"]), (18.0, ["age:18-30.5"]), (90, ["age:30.5+"])):
        assert segments_of(f'{{"age":{age}}}', bands.users) == band
        assert segments_of(f'{{"age":{age}}}', plain.users) == []
    assert segments_of_context({"hour": 7}, bands.context) == ["context.hour:6-12"]
    assert segments_of_context({"hour": 5}, bands.context) == segments_of_context({}, bands.context) == []


def test_facets_and_flags_name_segments_and_nothing_else_does() -> None:
    users = peopled("movies").users
    full = {"born": 1984, "joined": 5, "insider": False, "about": "x", "interests": ["jazz", "art:20"], "plan": "gold"}
    assert segments_of(users.canonical(full, ""), users) == [
        "plan:gold",
        "interests:jazz",
        "interests:art:20",
        "insider:false",
    ]
    assert segments_of("", users) == []
    assert segments_of('{"plan":"gold"}', MOVIES.users) == [], "under a schema whose users have none"


def test_what_a_user_s_segments_like_is_summed_for_items_that_have_a_row() -> None:
    known = segments(FOUND)
    assert len(known) == 3
    assert strengths(known, ["plan:gold", "plan:none"]) == {10: 0.5, 20: 0.25}
    assert strengths(known, ["plan:gold", "insider:true"]) == {10: 0.5, 20: 1.25}
    assert strengths(known, ["plan:gold", "insider:true", "plan:free"]) == {10: 0.5, 20: 1.25, 30: 0.125}
    assert strengths(known, ["plan:gold"], IDS != 10) == {20: 0.25}
    assert strengths(known, []) == strengths(Segments.none(), ["plan:gold"]) == {}


def test_items_that_are_newer_than_the_base_are_in_no_segment() -> None:
    known, allowed = segments(FOUND), np.ones(9, bool)
    assert strengths(known, list(FOUND), allowed) == {10: 0.5, 20: 1.25, 30: 0.125}


@pytest.mark.parametrize("more", [0, 20])
def test_there_may_be_more_segments_than_items(more: int) -> None:
    found = FOUND | {f"plan:{number}": [(10, 1.0)] for number in range(more)}
    assert strengths(segments(found), [f"plan:{number}" for number in range(more)]) == ({10: more} if more else {})


def test_they_are_read_from_a_folder_and_a_base_of_before_has_none(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    assert len(read_segments(folder, IDS)) == 0
    folder.mkdir()
    for name, array in zip(SEGMENT_ARRAYS, arrays(FOUND), strict=True):
        np.save(folder / f"{name}.npy", np.asarray(array))
    assert strengths(read_segments(folder, IDS), ["plan:free"]) == {30: 0.125}
    np.save(folder / "weights.npy", np.ones(3, np.float32))
    with pytest.raises(Broken, match="segments: 3 names, 4 starts, 5 items, 3 weights"):
        read_segments(folder, IDS)
    np.save(folder / "names.npy", np.frombuffer(b"[1]", np.uint8))
    with pytest.raises(Broken, match="segments: expected names as a JSON array of text"):
        read_segments(folder, IDS)
