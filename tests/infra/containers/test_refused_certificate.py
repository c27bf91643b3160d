"""A certificate of the API is refused wherever roles run alone, since the watch and health checks ask the API by plain HTTP."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from features.errors import BadInput
from infra.home.paths import Home
from infra.roles.attached_home import require_plain_http
from infra.settings.reading import read_settings
from tests.infra.containers.compose_file import environment
from tests.infra.containers.manifests import BASE, EXAMPLE, kustomization

CERTIFICATE = {"MARTLET_API_CERTIFICATE": "api.pem", "MARTLET_API_KEY": "api-key.pem"}


def of_kubernetes() -> dict[str, str]:
    """The settings that all pods have."""
    generators = [each for folder in (BASE, EXAMPLE) for each in kustomization(folder)["configMapGenerator"]]
    return dict(line.split("=", 1) for each in generators for line in each["literals"])


@pytest.mark.parametrize(
    "given", [environment("api"), environment("watch"), of_kubernetes()], ids=["api", "watch", "kubernetes"]
)
def test_a_certificate_is_refused_since_the_api_is_asked_by_plain_http(
    given: Mapping[str, str], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"api\.certificate: expected none beside api\.address"):
        require_plain_http(read_settings(Home(tmp_path), {**given, **CERTIFICATE}, {}).settings)
