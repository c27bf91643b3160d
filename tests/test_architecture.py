"""The house rules: folders are layers, nothing imports in a circle, a file's name says one thing, no folder is a flat hall."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import pytest

REPO = Path(__file__).resolve().parents[1]

Sources = Mapping[str, str]
Graph = Mapping[str, set[str]]

LAYERS: Mapping[str, tuple[str, ...]] = {
    "features": (),
    "models": ("features",),
    "streaming": ("features",),
    "offline": ("features", "models"),
    "online": ("features", "models.registry"),
    "infra": ("features", "models", "streaming", "offline", "online"),
    "benchmarks": ("features", "models", "streaming", "offline", "online", "infra"),
}
"""What each product folder may import beside itself. Tests may import all of them."""

SAME_NAME_ALLOWED = frozenset({"__init__", "__main__", "settings", "errors", "metrics", "client", "events", "items"})
"""Names that mean the same in every folder that has them: its settings, its client, its part in what events and items are."""

MOST_FILES = 14
"""Modules a folder may hold, `__init__` left out."""

BANNED_NAMES: Mapping[str, str] = {
    "acted": "experiment_outcomes",
    "answer": "response",
    "aside": "atomic_folder",
    "ask": "probes",
    "asks": "ranking_lists, list_data",
    "bound": "deadline",
    "breaker": "circuit_breaker",
    "digits": "float32",
    "drawing": "negative_sampling",
    "flow": "snapshot",
    "followed": "reloadable_file",
    "gate": "checks, promotion_gate",
    "gather": "collector",
    "job_keys": "job_status",
    "keeper": "job_keeper",
    "lately": "recency",
    "maps": "normalisation",
    "mapped": "mapped_table",
    "measured": "instrumentation",
    "memory": "dedupe",
    "names": "keys",
    "open_lists": "impression_join",
    "pairs": "co_visits",
    "places": "ranking_metrics, list_metrics",
    "provoke": "perturbation",
    "relations": "item_weights",
    "shelf": "vector_store",
    "shown": "from_impressions",
    "spare": "standby",
    "steps": "progress",
    "stored": "stored_state",
    "tower": "user_tower",
    "user_states": "user_cache",
    "walk": "history_walk",
    "walked": "prequential",
    "watch": "monitor",
    "watched": "user_updates",
    "words": "types",
}
"""Words of our own that file names no longer use, with those of the field in their stead."""


def product_sources(repo: Path) -> dict[str, str]:
    """The text of every Python file of the product, by its path within the repo."""
    files = (file for layer in LAYERS for file in sorted((repo / layer).rglob("*.py")))
    return {file.relative_to(repo).as_posix(): file.read_text() for file in files if "__pycache__" not in file.parts}


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below `node` but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from runtime_nodes(other)
            continue
        yield child
        yield from runtime_nodes(child)


def imported_modules(source: str, modules: Iterable[str]) -> set[str]:
    """The modules of the product that a file imports when it runs, anywhere in it. A name out of a package is the module of that
    name if there is one, else the package itself."""
    known, found = set(modules), set()
    for node in runtime_nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return {name for name in found if name.split(".")[0] in {*LAYERS, "tests"}}


def import_graph(sources: Sources) -> dict[str, set[str]]:
    modules = {module_of(path) for path in sources}
    return {module_of(path): imported_modules(text, modules) for path, text in sources.items()}


def layer_faults(sources: Sources) -> list[str]:
    """Imports against the direction of the layers."""
    faults = []
    for module, imported in import_graph(sources).items():
        layer = module.split(".")[0]
        allowed = (layer, *LAYERS[layer])
        for name in sorted(imported):
            if not any(name == each or name.startswith(f"{each}.") for each in allowed):
                faults.append(f"{module} imports {name}")
    return faults


def circles(graph: Graph) -> list[list[str]]:
    """Groups of nodes that reach each other, each sorted."""
    reached = {node: reachable(graph, node) for node in graph}
    groups = {
        tuple(sorted({node} | {other for other in reached[node] if node in reached.get(other, ())}))
        for node in graph
        if node in reached[node]
    }
    return [list(group) for group in sorted(groups)]


def reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    ahead = list(graph.get(start, ()))
    while ahead:
        node = ahead.pop()
        if node not in found:
            found.add(node)
            ahead.extend(graph.get(node, ()))
    return found


def folder_circles(sources: Sources) -> list[str]:
    """In each folder, circles between what lies in it: its files, and its folders with all that is below them.

    A package's `__init__` stands for the package: it re-exports what is below it, and is left out among its own entries.
    """
    graph = import_graph(sources)
    folders = {str(parent) for path in sources for parent in PurePosixPath(path).parents}
    faults = []
    for folder in sorted(folders):
        prefix = () if folder == "." else tuple(folder.split("/"))
        entries: dict[str, set[str]] = {}
        for module, imported in graph.items():
            source = entry_of(module, prefix)
            targets = {entry_of(name, prefix) for name in imported} - {None, source}
            if source is not None:
                entries.setdefault(source, set()).update(target for target in targets if target is not None)
        faults += [f"{folder}: {', '.join(group)}" for group in circles(entries)]
    return faults


def entry_of(module: str, folder: tuple[str, ...]) -> str | None:
    """The entry of a folder that a module is or lies under; None if it does not lie in there."""
    pieces = tuple(module.split("."))
    if pieces[: len(folder)] != folder or len(pieces) == len(folder):
        return None
    return pieces[len(folder)]


def repeated_names(paths: Iterable[str]) -> list[str]:
    counts = Counter(PurePosixPath(path).stem for path in paths)
    return sorted(name for name, count in counts.items() if count > 1 and name not in SAME_NAME_ALLOWED)


def banned_names(paths: Iterable[str]) -> list[str]:
    return [f"{path}: now {BANNED_NAMES[stem]}" for path in paths if (stem := PurePosixPath(path).stem) in BANNED_NAMES]


def crowded_folders(paths: Iterable[str]) -> list[str]:
    counts = Counter(str(PurePosixPath(path).parent) for path in paths if PurePosixPath(path).stem != "__init__")
    return [f"{folder}: {count} files" for folder, count in sorted(counts.items()) if count > MOST_FILES]


def packages_without_a_line(sources: Sources) -> list[str]:
    """Folders without an `__init__.py` that says what the folder is, in one sentence or two of at most two lines."""
    faults = []
    for folder in sorted({str(PurePosixPath(path).parent) for path in sources}):
        docstring = ast.get_docstring(ast.parse(sources.get(f"{folder}/__init__.py", ""))) or ""
        first = docstring.split("\n\n")[0]
        if not first.endswith((".", ":")) or first.count("\n") > 1:
            faults.append(folder)
    return faults


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    found = product_sources(REPO)
    assert set(LAYERS) == {path.split("/")[0] for path in found}
    return found


def test_imports_point_one_way(sources: Sources) -> None:
    assert layer_faults(sources) == []


def test_no_files_import_in_a_circle(sources: Sources) -> None:
    assert circles(import_graph(sources)) == []


def test_no_folders_import_in_a_circle(sources: Sources) -> None:
    assert folder_circles(sources) == []


def test_a_file_name_says_one_thing(sources: Sources) -> None:
    assert repeated_names(sources) == []


def test_no_file_has_a_word_of_our_own_for_a_name(sources: Sources) -> None:
    assert banned_names(sources) == []


def test_no_folder_is_a_flat_hall(sources: Sources) -> None:
    assert crowded_folders(sources) == []


def test_every_package_says_what_it_is(sources: Sources) -> None:
    assert packages_without_a_line(sources) == []


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("features/clock.py", "import streaming.job", "features.clock imports streaming.job"),
        ("streaming/job.py", "from online import app", "streaming.job imports online.app"),
        (
            "online/app.py",
            "def late():\n    from models.training import pipeline",
            "online.app imports models.training",
        ),
        ("online/app.py", "from models import nets", "online.app imports models.nets"),
        (
            "offline/prepare.py",
            "from streaming.settings import JobSettings",
            "offline.prepare imports streaming.settings",
        ),
        ("models/nets.py", "from infra import up", "models.nets imports infra"),
        ("infra/up.py", "from benchmarks.swap import run", "infra.up imports benchmarks.swap"),
        ("benchmarks/swap.py", "from tests.home import until", "benchmarks.swap imports tests.home"),
    ],
)
def test_an_import_against_the_layers_is_found(path: str, text: str, fault: str) -> None:
    others = {"streaming/job.py": "", "online/app.py": "", "models/nets.py": ""}
    assert layer_faults(others | {path: text}) == [fault]


def test_imports_along_the_layers_pass() -> None:
    sources = {
        "online/app.py": "from models.registry import newest\nfrom features import clock",
        "offline/prepare.py": "from models.training.runtime import prepare",
        "benchmarks/swap.py": "from infra import up\nimport numpy",
        "streaming/job.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from online.app import App",
    }
    assert layer_faults(sources) == []


def test_a_circle_of_files_is_found() -> None:
    sources = {
        "online/a.py": "from online import b",
        "online/b.py": "def late():\n    import online.c",
        "online/c.py": "from online.a import name",
        "online/d.py": "from online import a",
    }
    assert circles(import_graph(sources)) == [["online.a", "online.b", "online.c"]]


def test_an_import_for_the_type_checker_makes_no_circle() -> None:
    sources = {
        "online/a.py": "import typing\nif typing.TYPE_CHECKING:\n    from online import b",
        "online/b.py": "from online import a",
    }
    assert circles(import_graph(sources)) == []


def test_a_circle_of_folders_is_found_where_the_files_have_none() -> None:
    sources = {
        "online/recall/merge.py": "from online.ranking import policy",
        "online/recall/query.py": "",
        "online/ranking/ranker.py": "from online.recall import query",
        "online/ranking/policy.py": "from online import settings",
        "online/settings.py": "",
        "online/app.py": "from online.recall import merge",
    }
    assert circles(import_graph(sources)) == []
    assert folder_circles(sources) == ["online: ranking, recall"]


def test_names_that_repeat_banned_words_and_halls_are_found() -> None:
    hall = [f"infra/file{number}.py" for number in range(MOST_FILES + 1)]
    paths = [
        "online/state.py",
        "features/fold/state.py",
        "online/settings.py",
        "offline/settings.py",
        "infra/ask.py",
        *hall,
    ]
    assert repeated_names(paths) == ["state"]
    assert banned_names(paths) == ["infra/ask.py: now probes"]
    assert crowded_folders(paths) == [f"infra: {MOST_FILES + 2} files"]
    assert crowded_folders([*hall[:-1], "infra/__init__.py"]) == []


def test_a_package_that_says_nothing_is_found() -> None:
    sources = {
        "online/__init__.py": '"""The online server."""',
        "online/http/load_shedding.py": "",
        "online/kafka/__init__.py": "",
        "online/recall/__init__.py": '"""Recall: a line that\nruns over\nand over."""',
        "online/routes/__init__.py": '"""Routes, one file a subject.\n\nMore of it.\n"""',
    }
    assert packages_without_a_line(sources) == ["online/http", "online/kafka", "online/recall"]
