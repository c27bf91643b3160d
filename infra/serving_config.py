"""The model server's configuration: every model that the home has, and NeuralCF once more under the name `recmodel`."""

from pathlib import Path

from infra.home import Home
from infra.offline import FIRST_MODELS

ALIASES = {"recmodel": "neuralcf"}
KEPT_VERSIONS = 2
"""The newest two stay loaded: the API asks for a version by number and moves to a new one when it has checked it."""


def write(home: Home) -> Path:
    """Write it if it has changed; the server reads it again by itself. Returns its path."""
    there = {folder.name for folder in home.models.iterdir() if folder.is_dir() and not folder.name.startswith(".")}
    names = {name: name for name in sorted(there | set(FIRST_MODELS))} | ALIASES
    entries = [
        "  config {\n"
        f'    name: "{name}"\n    base_path: "{home.models / folder}"\n    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ latest {{ num_versions: {KEPT_VERSIONS} }} }}\n"
        "  }\n"
        for name, folder in names.items()
    ]
    text = "model_config_list {\n" + "".join(entries) + "}\n"
    path = home.run / "models.config"
    if not path.exists() or path.read_text() != text:
        aside = path.with_suffix(".tmp")
        aside.write_text(text)
        aside.replace(path)
    return path
