"""The model server's configuration: every model that the home has, and NeuralCF once more under the name `recmodel`.

Loaded are a model's newest versions and the one that ranks, by number: however many bad versions come after it, the one that
answers is never unloaded for them. Where none ranks, a few more are loaded, so that a good one among them is found.
"""

from collections.abc import Mapping

from features.durable import write_whole
from features.errors import Unavailable
from infra.home.paths import Home
from infra.system import probes
from models.registry import list_models, list_versions

ALIASES = {"recmodel": "neuralcf"}
KEPT_VERSIONS = 2
"""The API asks for a version by number and moves to a new one when it has checked it: two, for the way there and back."""
SEARCHED_VERSIONS = 5


class ServingConfig:
    """Follows the home's models, and which of their versions rank. A model whose folder vanishes stays as it was, so that
    what is loaded serves on. api: its address."""

    def __init__(self, home: Home, api: str) -> None:
        self._home = home
        self._api = api
        self._versions: dict[str, list[int]] = {name: [] for name in FIRST_MODELS}
        self._ranking: dict[str, int] | None = None
        self.path = home.run / "models.config"

    def write(self) -> None:
        """Write it if it has changed; the server reads it again by itself."""
        self._ask()
        models = self._home.models
        for name in list_models(models):
            self._versions[name] = wanted(list_versions(models, name), self._ranking, name)
        folders = {name: name for name in sorted(self._versions)} | ALIASES
        text = "".join(
            f'  config {{\n    name: "{name}"\n    base_path: "{models / folder}"\n    model_platform: "tensorflow"\n'
            f"{_policy(self._versions[folder])}  }}\n"
            for name, folder in folders.items()
        )
        text = f"model_config_list {{\n{text}}}\n"
        if not self.path.exists() or self.path.read_text() != text:
            write_whole(self.path, text.encode())

    def _ask(self) -> None:
        """Which versions rank. An API that does not answer changes nothing."""
        try:
            ready = probes.http_json(f"{self._api}/readyz", timeout=0.5, also=503)
            self._ranking = {name: int(version) for name, version in (each.split("/") for each in ready["models"])}
        except Unavailable:
            return


def wanted(there: list[int], ranking: Mapping[str, int] | None, name: str) -> list[int]:
    """Of the versions there are, ascending, those to load. ranking: what ranks, by model; None while nobody has told.

    >>> wanted([1, 2, 3, 4], {"a": 1}, "a")
    [1, 3, 4]
    """
    if ranking is None:
        return there[-KEPT_VERSIONS:]
    if name not in ranking:
        return there[-SEARCHED_VERSIONS:]
    return sorted({*there[-KEPT_VERSIONS:], *({ranking[name]} & {*there})})


def _policy(versions: list[int]) -> str:
    """Without versions the default, the newest: it is found as soon as it comes."""
    numbers = " ".join(f"versions: {version}" for version in versions)
    return f"    model_version_policy {{ specific {{ {numbers} }} }}\n" if versions else ""


FIRST_MODELS = ("fusion", "widedeep", "neuralcf")
"""What a new home trains, the default model first."""
