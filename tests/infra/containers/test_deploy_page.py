"""docs/deploy.md: each command that it has people type is there, and so is each file that it names."""

import re
from typing import Any

import typer.main
import yaml

from features.version import VERSION
from infra.cli.main import app
from infra.flink.cluster import MEMORY, ROCKSDB, process_settings
from infra.system.repository import REPO
from tests.infra.containers.compose_file import compose
from tests.infra.containers.images import IMAGES
from tests.infra.containers.manifests import ALL, BASE, EXAMPLE, EXAMPLES, kustomization, rendered_by

PAGE = (REPO / "docs" / "deploy.md").read_text(encoding="utf-8")
COMMANDS: Any = typer.main.get_command(app)


def test_commands_in_containers_are_ours_and_their_options_too() -> None:
    run = r"docker compose run --rm (?:-T |--volume \S+ )*offline ([^)\n]+)"
    lines = re.findall(run, PAGE) + re.findall(r"python -m infra ([^)`\n]+)", PAGE)
    assert len(lines) >= 6
    for line in lines:
        word, *rest = line.split()
        command = COMMANDS.commands[word]
        known = {option for each in command.params for option in each.opts}
        assert {each for each in rest if each.startswith("--")} <= known, line
        assert rest[-2:] == ["--home", "/var/lib/martlet"], line


def test_services_and_images_that_are_named_are_there() -> None:
    services = compose()["services"]
    assert set(re.findall(r"docker compose (?:exec|run --rm) (?:-T |--volume \S+ )*(\w+)", PAGE)) <= set(services)
    assert set(re.findall(r"`martlet-(\w+)`", PAGE)) - {"settings", "engines", "secrets", "offline"} <= set(IMAGES)
    profiles = {profile for each in services.values() for profile in each.get("profiles", [])}
    assert set(re.findall(r"--profile (\w+)", PAGE)) <= profiles
    assert set(re.findall(r"--scale (\w+)=", PAGE)) <= set(services)


def test_files_and_manifests_that_are_named_are_there() -> None:
    paths = re.findall(r"infra/containers/[\w./-]+", PAGE)
    assert paths
    assert [path for path in paths if not (REPO / path.rstrip("./")).exists()] == []
    names = {(each["kind"].lower(), each["metadata"]["name"]) for each in ALL}
    assert set(re.findall(r"(job|deployment|pod|service)/([\w-]+)", PAGE)) <= names
    for kind, name in re.findall(r"kubectl --namespace shop delete (\w+) ([\w-]+)", PAGE):
        assert (kind, name) in names
    assert set(re.findall(r"kubectl --namespace shop (?:exec|cp FOLDER) (\w+)[ :]", PAGE)) == {"commands"}
    certificates = set(re.findall(r"--from-file=([\w-]+\.pem)", PAGE))
    example = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())["configMapGenerator"][0]["literals"]
    assert certificates == set(re.findall(r"/etc/martlet/certificates/([\w-]+\.pem)", " ".join(example)))


def test_what_state_on_disk_wants_of_containers_is_what_up_gives_it() -> None:
    (text,) = re.findall(r"\*\*State in memory\.\*\*.*", PAGE)
    key = "taskmanager.memory.managed.size"
    before, after = (str(process_settings(state)[key]) for state in (MEMORY, ROCKSDB))
    more = int(after.rstrip("m")) - int(before.rstrip("m"))
    limit = str(compose()["services"]["taskmanager"]["deploy"]["resources"]["limits"]["memory"])
    (flink,) = (each["spec"] for each in ALL if each["kind"] == "FlinkDeployment")
    assert limit.endswith("G")
    assert flink["flinkConfiguration"][key] == before
    assert f"`{key}` is `{after}` in place of `{before}`" in text
    assert f"`memory: {1024 * int(limit.rstrip('G')) + more}M`" in text
    assert f"`memory: {int(flink['taskManager']['resource']['memory'].rstrip('m')) + more}m`" in text
    volumes = {each["name"]: each for each in flink["podTemplate"]["spec"]["volumes"]}
    assert f"`sizeLimit: {volumes['tmp']['emptyDir']['sizeLimit']}`" in text


def test_what_is_applied_is_a_copy_of_an_example() -> None:
    applied = set(re.findall(r"kubectl apply -k shop(?:/(\w+))?", PAGE))
    assert applied == {"" if example == EXAMPLE else example.name for example in EXAMPLES}


def test_images_are_pushed_under_the_names_that_the_example_pulls() -> None:
    (parts,) = re.findall(r"for part in ([\w ]+); do", PAGE)
    tags = set(re.findall(r"(?:martlet-\$part|push) (\S+/)martlet-\$part:([\w.]+)", PAGE))
    assert set(parts.split()) == set(IMAGES)
    ((registry, tag),) = tags
    assert tag == VERSION
    pushed = {f"{registry}martlet-{part}:{tag}" for part in parts.split()}
    pulled = {
        image for each in EXAMPLES for image in re.findall(rf"{registry}martlet-[^\s'\"]+", str(rendered_by(each)))
    }
    assert pulled == pushed


def test_namespaces_and_ports_that_are_named_are_those_of_the_policies() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in ALL if each["kind"] == "NetworkPolicy"}
    text = (BASE / "network.yaml").read_text()
    assert set(re.findall(r"metadata\.name: ([\w-]+)", text)) == {"flink-operator", "monitoring"}
    assert "the namespace `flink-operator` in to Flink, and `monitoring` (Prometheus) to the watch" in PAGE
    assert "--namespace flink-operator --create-namespace" in PAGE
    assert f"watchNamespaces={{{kustomization(EXAMPLE)['namespace']}}}" in PAGE
    (ports,) = re.findall(r"Ways out are open at ports ([\d, and]+) alone", PAGE)
    (rule,) = policies["martlet-engines"]["egress"]
    assert {int(port) for port in re.findall(r"\d+", ports)} == {each["port"] for each in rule["ports"]}
