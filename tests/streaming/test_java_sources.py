"""Java is for what Python cannot say, so there is little of it."""

import json
import math
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
from tests.patience import patience

pytestmark = pytest.mark.services

MOST = 200
LANES = [1, 8, 64, 256]
TURNS = [4.1, 16.0, 36.0, 49.9]
"""Waits, ms."""
STEADY = 2_000_000
"""What a batch waits for where few records come, ns."""


def test_there_are_few_lines_of_java() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in SOURCES.glob("*.java")}
    assert 0 < sum(lines.values()) <= MOST, lines


def print_waits_and_turns(rates: list[float], lanes: list[int]) -> None:
    """Print how many ms a batch waits where so many records come a second, and for each number of lanes and each of some waits
    (ms) how many lanes go on in a turn and after how many ms the next ones: asked of the class itself, in a JVM as Flink's."""
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
    batcher = loader.loadClass("martlet.LaneBatcher")
    method = batcher.getMethod("waitOf", types)
    waits = [method.invoke(None, array(lang.Object, lang.Double(rate), lang.Long(STEADY))) / 1e6 for rate in rates]
    turn_of = batcher.getMethod("turnOf", array(lang.Class, lang.Integer.TYPE, lang.Long.TYPE))
    turns = []
    for count in lanes:
        for wait in TURNS:
            sent, pause = turn_of.invoke(None, array(lang.Object, lang.Integer(count), lang.Long(int(wait * 1e6))))
            turns.append([count, wait, sent, pause / 1e6])
    print(json.dumps([waits, turns]))


def test_batches_wait_the_longer_the_more_records_come_and_each_lane_goes_on_once_in_that_time(tmp_path: Path) -> None:
    expected = {0.0: 2, 1_000.0: 2, 1_500.0: 2, 2_000.0: 4, 5_000.0: 16, 10_000.0: 36, 60_000.0: 50, 1e300: 50}
    done = subprocess.run(
        [sys.executable, "-c", f"import {__name__} as it; it.print_waits_and_turns({list(expected)}, {LANES})"],
        capture_output=True,
        text=True,
        timeout=patience(120),
        cwd=REPO,
        env={**os.environ, **cluster.configure(Home(tmp_path).make(), Ports.choose(0, {}))},
    )
    assert done.returncode == 0, done.stderr
    waits, turns = json.loads(done.stdout.splitlines()[-1])
    assert waits == list(expected.values())
    assert len(turns) == len(LANES) * len(TURNS)
    for lanes, wait, sent, pause in turns:
        assert (pause >= 4, pause == int(pause), 1 <= sent <= lanes) == (True, True, True), (lanes, wait)
        assert math.ceil(lanes / sent) * pause <= wait + pause, (lanes, wait, sent, pause)
        assert lanes == 1 or wait < 2 * pause or sent < lanes, (lanes, wait, sent, pause)  # not all at once
