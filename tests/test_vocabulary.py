"""The vocabulary: identifiers of the product use the field's words. What is left of our own ones can only become less."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest

from tests.test_architecture import REPO, Sources, product_sources

BANNED: Mapping[str, str] = {
    "ask": "query, request, probe, read",
    "asked": "queries, requested",
    "asking": "recall run, request",
    "asks": "ranking_lists, queries",
    "aside": "background, staging, atomic_…",
    "beside": "other, temporary",
    "chance": "rng, probability",
    "gatherer": "collector",
    "gone": "withdrawn, missing",
    "kept": "retained, saved",
    "lately": "recent",
    "least": "min_…, lowest, threshold",
    "lets": "allow",
    "listed": "slate",
    "look": "poll, refresh, read",
    "looked": "polled, read",
    "looks": "polls, reads",
    "most": "limit, max_…",
    "news": "new_items, updates",
    "place": "offset (log), rank (position in a ranking), index (into an array), bucket (hash)",
    "placed": "offsets, ranks, indices, buckets",
    "places": "offsets, ranks, indices, buckets",
    "provocation": "perturbation",
    "provoke": "perturb",
    "said": "text, line, reported",
    "say": "print_line, report",
    "says": "text, line",
    "shelf": "store",
    "sight": "snapshot",
    "sights": "snapshots",
    "spare": "standby",
    "tell": "report, publish, to_json",
    "tells": "reports",
    "there": "present, mask, filled",
    "told": "reported, text, line, to_json",
    "turn": "slot",
    "turns": "slots, interleaved ranks",
    "walked": "prequential",
    "wish": "request",
    "wishes": "requests",
    "within": "timeout",
}
"""Words of our own, with those of the field in their stead. docs/glossary.md has the words that stay."""


class Allowed(NamedTuple):
    path: str
    identifier: str
    reason: str


ALLOWED: Sequence[Allowed] = (
    Allowed("features/engines/redis_nodes.py", "AskError", "an error of redis-py's"),
    Allowed("offline/base/from_dataset.py", "sortWithinPartitions", "a method of Spark's"),
    Allowed("offline/base/from_log.py", "sortWithinPartitions", "a method of Spark's"),
    Allowed("offline/base/state_tables.py", "sortWithinPartitions", "a method of Spark's"),
    Allowed("offline/item_weights/build.py", "sortWithinPartitions", "a method of Spark's"),
    Allowed("offline/training_data/from_impressions.py", "sortWithinPartitions", "a method of Spark's"),
    Allowed("offline/training_data/ranking_lists.py", "sortWithinPartitions", "a method of Spark's"),
    Allowed("offline/training_data/rows.py", "sortWithinPartitions", "a method of Spark's"),
    Allowed("offline/item_weights/similar.py", "least", "a function of Spark's"),
    Allowed("offline/datasets/own/description.py", "places", "a key of dataset.toml"),
    Allowed("infra/flink/job_client.py", "tell", "a method of files"),
    Allowed("infra/flink/standby.py", "spare", "a key of run/status.json"),
    Allowed("infra/flink/standby.py", "spare_calm", "a key of run/times.json"),
    Allowed("infra/home/timings.py", "spare_calm", "a key of run/times.json"),
    Allowed("online/recommend/explain.py", "place", "a field of an explained answer"),
    Allowed("online/routes/ops_overview.py", "asked_at", "a field of GET /v1/ops"),
    Allowed("offline/evaluation/peers/implicit_library.py", "AlternatingLeastSquares", "a class of implicit's"),
)

BUDGET: Mapping[str, int] = {
    "features": 0,
    "models": 0,
    "streaming": 0,
    "offline": 0,
    "online": 0,
    "infra": 0,
    "benchmarks": 0,
}
"""Uses of banned words that each folder still has. Exact: who removes some lowers it."""


class Use(NamedTuple):
    """A banned word in an identifier."""

    path: str
    line: int
    identifier: str
    word: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.identifier}: {self.word} → {BANNED[self.word]}"


def words_of(identifier: str) -> list[str]:
    """The words of a name in snake_case or CamelCase, in small letters.

    >>> words_of("_KEPT_LINES"), words_of("sortWithinPartitions"), words_of("HTTPAsk2")
    (['kept', 'lines'], ['sort', 'within', 'partitions'], ['http', 'ask'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)]


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of names, attributes, arguments, keyword arguments, functions, classes, imported names and caught errors."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)):
                yield node.lineno, name
            case ast.alias():
                yield node.lineno, node.asname or node.name.rpartition(".")[2]


def uses_of_banned(sources: Sources, allowed: Sequence[Allowed] = ()) -> list[Use]:
    """Every identifier with a banned word, by file and line; those that are allowed are left out."""
    left_out = {(each.path, each.identifier) for each in allowed}
    return sorted(
        Use(path, line, identifier, next(word for word in words_of(identifier) if word in BANNED))
        for path, text in sources.items()
        for line, identifier in identifiers(ast.parse(text))
        if not BANNED.keys().isdisjoint(words_of(identifier)) and (path, identifier) not in left_out
    )


def budget_faults(uses: Sequence[Use], budget: Mapping[str, int]) -> list[str]:
    """What is against a budget, one line a folder: more uses than it has, or fewer."""
    faults = []
    for folder, limit in budget.items():
        found = [use for use in uses if use.path.startswith(f"{folder}/")]
        if len(found) > limit:
            lines = "\n  ".join(map(str, found))
            faults.append(f"{folder}: {len(found)} uses of banned words, the budget is {limit}:\n  {lines}")
        elif len(found) < limit:
            faults.append(f"{folder}: {len(found)} uses of banned words: lower the budget from {limit}")
    return faults


def test_identifiers_use_the_fields_words() -> None:
    faults = budget_faults(uses_of_banned(product_sources(REPO), ALLOWED), BUDGET)
    assert not faults, "\n".join(faults)


def test_every_product_folder_has_a_budget() -> None:
    assert {path.split("/")[0] for path in product_sources(REPO)} == set(BUDGET)


def test_nothing_is_allowed_that_is_not_needed() -> None:
    used = {(use.path, use.identifier) for use in uses_of_banned(product_sources(REPO))}
    assert [each for each in ALLOWED if (each.path, each.identifier) not in used] == []


@pytest.mark.parametrize(
    ("source", "identifier", "word"),
    [
        ("place = 1", "place", "place"),
        ("a.place_of(1)", "place_of", "place"),
        ("def f(within): ...", "within", "within"),
        ("f(timeout=1, within=2)", "within", "within"),
        ("def _look_once(): ...", "_look_once", "look"),
        ("async def tell(): ...", "tell", "tell"),
        ("class ShelfReader: ...", "ShelfReader", "shelf"),
        ("MOST_ROWS: int = 3", "MOST_ROWS", "most"),
        ("from a import asks", "asks", "asks"),
        ("from a import b as told", "told", "told"),
        ("import a.aside", "aside", "aside"),
        ("try: ...\nexcept OSError as said: ...", "said", "said"),
        ('f"{kept}"', "kept", "kept"),
    ],
)
def test_a_banned_word_is_found(source: str, identifier: str, word: str) -> None:
    assert [(use.identifier, use.word) for use in uses_of_banned({"online/a.py": source})] == [(identifier, word)]


@pytest.mark.parametrize(
    "source",
    [
        '"""What is told of a place."""',
        'given["asks"]  # asked',
        "replace(a, almost=1).returned_text",
        "import place.offset",
        "f(**options)",
    ],
)
def test_other_words_and_texts_are_left_alone(source: str) -> None:
    assert uses_of_banned({"online/a.py": source}) == []


def test_what_is_allowed_is_allowed_in_its_file_alone() -> None:
    source = "frame.sortWithinPartitions()"
    found = uses_of_banned(
        {"offline/a.py": source, "offline/b.py": source}, [Allowed("offline/a.py", "sortWithinPartitions", "")]
    )
    assert [use.path for use in found] == ["offline/b.py"]


@pytest.mark.parametrize(
    ("budget", "fault"),
    [
        (1, "online: 2 uses of banned words, the budget is 1:\n  online/a.py:1: place"),
        (3, "online: 2 uses of banned words: lower the budget from 3"),
        (2, None),
    ],
)
def test_a_budget_is_exact(budget: int, fault: str | None) -> None:
    uses = uses_of_banned({"online/a.py": "place = told", "infra/a.py": "place = 1"})
    faults = budget_faults(uses, {"online": budget})
    assert [each.startswith(fault) for each in faults] == [True] if fault else faults == []
