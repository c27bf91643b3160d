"""The dashboard and the rules use only metrics that the API and the monitor export."""

import json
import re
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from features.store.freshness import FreshnessHistogram
from features.store.job_status import Lane
from infra.monitoring.alarms import NAMES, Alarm
from infra.monitoring.prometheus import MonitorMetrics
from infra.monitoring.snapshot import Checkpoints, Vertex
from infra.system.repository import REPO
from online.monitoring.job_metrics import JobSnapshot, families_of
from online.support import metrics
from tests.infra.monitoring.snapshots import NOW, job, snapshot_at

FOLDER = REPO / "infra" / "dashboards"
SUFFIXES = ("_bucket", "_count", "_sum", "_total")


def exported_metrics() -> dict[str, set[str]]:
    """Metrics' names without suffix → their labels."""
    monitor = MonitorMetrics()
    busy = (Vertex("users", 1, 0.1, 0.0),)
    done = Checkpoints(completed_at=NOW, duration_ms=1, state_bytes=1)
    monitor.show(snapshot_at(job=job(vertices=busy, checkpoints=done)), [Alarm(NAMES[0], "")])
    registry = CollectorRegistry()
    registry.register(monitor)
    of_job = families_of(JobSnapshot({0: Lane(generation=1, next_offset=1)}, {("users", 0): FreshnessHistogram()}))
    found: dict[str, set[str]] = {}
    texts = [generate_latest(registry).decode()]
    for family in (
        *of_job,
        *metrics.REGISTRY.collect(),
        *(family for text in texts for family in text_string_to_metric_families(text)),
    ):
        labels = found.setdefault(bare(family.name), set())
        for sample in family.samples:
            labels |= set(sample.labels)
    collectors: Any = metrics.REGISTRY._collector_to_names
    for collector in collectors:  # a counter without a value yet has no sample to look at
        found[bare(collector.describe()[0].name)] |= set(collector._labelnames)
    return found


def bare(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def expressions() -> list[str]:
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(str(each) for name, each in value.items() if name == "expr")
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(json.loads((FOLDER / "grafana.json").read_text()))
    walk(yaml.safe_load((FOLDER / "alerts.yml").read_text()))
    return found


def test_every_metric_and_label_that_a_dashboard_or_a_rule_names_exists() -> None:
    exported, used_expressions = exported_metrics(), expressions()
    assert len(used_expressions) > 30
    for expression in used_expressions:
        names = re.findall(r"martlet_\w+", expression)
        assert names, expression
        known = set().union(*(exported.get(bare(name), set()) for name in names)) | {"le"}
        assert {bare(name) for name in names} <= set(exported), expression
        used = {label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r"\W+", labels)}
        used |= set(re.findall(r"(\w+)=\"", expression))
        assert used <= known, expression


def test_the_docs_have_each_metric() -> None:
    documented = {
        bare(name) for path in (REPO / "docs").glob("*.md") for name in re.findall(r"martlet_\w+", path.read_text())
    }
    assert set(exported_metrics()) - documented == set()


def test_the_legend_of_each_panel_names_labels_that_there_are() -> None:
    exported = exported_metrics()
    for panel in json.loads((FOLDER / "grafana.json").read_text())["panels"]:
        for target in panel["targets"]:
            known = set().union(
                *(exported.get(bare(name), set()) for name in re.findall(r"martlet_\w+", target["expr"]))
            )
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known, panel["title"]


def test_prometheus_scrapes_both_and_reads_the_rules() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert [job["job_name"] for job in config["scrape_configs"]] == ["martlet-api", "martlet-watch"]
    assert all((FOLDER / name).exists() for name in config["rule_files"])
