#!/bin/sh
# Writes the locks anew from pyproject.toml and requirements/peers.in: requirements.lock, the one environment that ./martlet
# makes, then one lock a role, each held to the versions of the whole. What is locked stays as it is unless pyproject.toml
# forbids it; newer versions are asked for with uv's own options, like --upgrade-package fastapi, or --upgrade.
set -eu
cd -- "$(dirname -- "$0")/.."
roles='api watch job model-server offline home dev'
export UV_CUSTOM_COMPILE_COMMAND=requirements/relock.sh

compile() {
    .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 "$@" >/dev/null
}

# shellcheck disable=SC2046 # one argument a word is meant
compile $(printf -- '--group %s ' $roles) --output-file requirements.lock "$@"
for role in $roles; do
    rm -f "requirements/$role.lock"
    compile --group "$role" --constraints requirements.lock --no-annotate --output-file "requirements/$role.lock"
done
compile --no-config --output-file requirements/peers.lock "$@" requirements/peers.in
