"""The model server's configuration: every model of the home, and NeuralCF again under the name `recmodel`.

Of each model the newest versions are loaded, and the one that ranks: however many bad versions follow it, it is never unloaded
for them. Where none ranks, a few more are loaded, so that the API can find a good one among them.
"""

from collections.abc import Callable, Mapping, Sequence

from features.durable import write_whole
from features.errors import Broken, Unavailable
from infra.home.paths import Home
from infra.system.readiness import read_readiness
from models.registry import list_models, list_versions, read_labels

ALIASES = {"recmodel": "neuralcf"}
LOADED_VERSIONS = 2
"""The API requests a version by number and switches to a new one once it has checked it; two allow the switch and its
reversal."""
SEARCHED_VERSIONS = 5


class ServingConfig:
    """Tracks the home's models and which of their versions rank. A model whose folder vanishes keeps its entry, so that loaded
    versions go on serving. addresses: of the API's processes, as of now."""

    def __init__(self, home: Home, addresses: Callable[[], Sequence[str]]) -> None:
        self._home = home
        self._addresses = addresses
        self._versions: dict[str, list[int]] = {name: [] for name in FIRST_MODELS}
        self._ranking: dict[str, int] | None = None
        self._ready: set[tuple[str, int]] = set()
        """Versions of which the API has had the golden scores."""
        self.path = home.run / "models.config"

    def write(self) -> None:
        """Write the file if it has changed; the model server polls it."""
        self._read_ranking()
        models = self._home.models
        named: dict[str, dict[str, int]] = {}
        for name in list_models(models):
            available, labels = list_versions(models, name), self._labels_of(name)
            loaded = versions_to_load(available, self._ranking, name)
            self._versions[name] = sorted({*loaded, *({*labels.values()} & {*available})})
            # a label must name a version that the server has loaded, or it refuses the whole file
            named[name] = {label: version for label, version in labels.items() if (name, version) in self._ready}
        folders = {name: name for name in sorted(self._versions)} | ALIASES
        text = "".join(
            f'  config {{\n    name: "{name}"\n    base_path: "{models / folder}"\n    model_platform: "tensorflow"\n'
            f"{_policy(self._versions[folder])}{_version_labels(named.get(name, {}))}  }}\n"
            for name, folder in folders.items()
        )
        text = f"model_config_list {{\n{text}}}\n"
        if not self.path.exists() or self.path.read_text() != text:
            write_whole(self.path, text.encode())

    def _read_ranking(self) -> None:
        """Read from the API which versions rank, the oldest where its processes differ for a moment; if one does not answer, the
        last result stays."""
        ranking: dict[str, int] = {}
        ready: list[set[tuple[str, int]]] = []
        try:
            for address in self._addresses():
                state = read_readiness(address)
                for name, version in state.ranking.items():
                    ranking[name] = min(version, ranking.get(name, version))
                ready.append(state.held)
        except Unavailable:
            return
        if ready:
            self._ranking, self._ready = ranking, set.intersection(*ready)

    def _labels_of(self, name: str) -> dict[str, int]:
        """Label → version; nothing where the labels can't be read: the API says why."""
        try:
            labels = read_labels(self._home.models, name)
        except Broken:
            return {}
        return {} if labels is None else labels.named()


def versions_to_load(available: list[int], ranking: Mapping[str, int] | None, name: str) -> list[int]:
    """Returns which of the available versions (ascending) to load: the newest, and the one that ranks.

    ranking: the version that ranks, by model; None while unknown.

    >>> versions_to_load([1, 2, 3, 4], {"a": 1}, "a")
    [1, 3, 4]
    """
    if ranking is None:
        return available[-LOADED_VERSIONS:]
    if name not in ranking:
        return available[-SEARCHED_VERSIONS:]
    return sorted({*available[-LOADED_VERSIONS:], *({ranking[name]} & {*available})})


def _policy(versions: list[int]) -> str:
    """Returns the version policy; without versions the server's default, the newest one."""
    numbers = " ".join(f"versions: {version}" for version in versions)
    return f"    model_version_policy {{ specific {{ {numbers} }} }}\n" if versions else ""


def _version_labels(labels: Mapping[str, int]) -> str:
    return "".join(f'    version_labels {{ key: "{label}" value: {version} }}\n' for label, version in labels.items())


FIRST_MODELS = ("fusion", "widedeep", "neuralcf")
"""Models that a new home trains, the default one first."""
