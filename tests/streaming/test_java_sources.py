"""Java is for what Python cannot say, so there is little of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.flink import cluster
from infra.flink.java_classes import SOURCES, jar
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.system.repository import REPO

pytestmark = pytest.mark.services

MOST = 200
STEADY = 2_000_000
"""What a batch waits for where few records come, ns."""


def test_there_are_few_lines_of_java() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in SOURCES.glob("*.java")}
    assert 0 < sum(lines.values()) <= MOST, lines


def print_waits(rates: list[float]) -> None:
    """Print how many ms a batch waits where so many records come a second: asked of the class itself, in a JVM as Flink's."""
    from pyflink.java_gateway import get_gateway

    gateway = get_gateway()
    lang, net = gateway.jvm.java.lang, gateway.jvm.java.net

    def array(of: object, *values: object) -> object:
        made = gateway.new_array(of, len(values))
        for at, value in enumerate(values):
            made[at] = value
        return made

    urls = array(net.URL, net.URI(jar().as_uri()).toURL())
    loader = net.URLClassLoader(urls, lang.ClassLoader.getSystemClassLoader())
    types = array(lang.Class, lang.Double.TYPE, lang.Long.TYPE)
    method = loader.loadClass("martlet.LaneBatcher").getMethod("waitOf", types)
    waits = [method.invoke(None, array(lang.Object, lang.Double(rate), lang.Long(STEADY))) / 1e6 for rate in rates]
    print(json.dumps(waits))


def test_a_batch_waits_the_longer_the_more_records_come_within_bounds(tmp_path: Path) -> None:
    expected = {0.0: 2, 1_000.0: 2, 1_500.0: 2, 2_000.0: 4, 5_000.0: 16, 10_000.0: 36, 60_000.0: 50, 1e300: 50}
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import print_waits; print_waits({list(expected)})"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=REPO,
        env={**os.environ, **cluster.configure(Home(tmp_path).make(), Ports.choose(0, {}))},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == list(expected.values())
