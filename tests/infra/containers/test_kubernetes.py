"""The Kubernetes manifests: valid by the API's own schemas, and every name, port, path and setting in them known to the code."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import kubernetes_validate
import pytest

from features.engines.passwords import KAFKA_VARIABLE, REDIS_VARIABLE
from features.errors import BadInput
from features.keys import DEFAULT_PARTITIONS
from features.version import VERSION
from infra.flink.cluster import CONSOLE_LOGGING, process_settings, slots_of
from infra.home.paths import Home
from infra.settings.reading import read_settings
from infra.settings.table import FIELDS
from models.server import flags
from tests.infra.containers.compose_file import ROLES, environment, service
from tests.infra.containers.images import IMAGES
from tests.infra.containers.manifests import (
    ALL,
    BASE,
    EXAMPLE,
    EXAMPLES,
    FOLDERS,
    LEARN,
    MANIFESTS,
    OFFLINE,
    Manifest,
    kustomization,
    manifests,
    rendered_by,
)

KUBERNETES: Final = "1.34"
HOME: Final = "/var/lib/martlet"
SETTINGS: Final = (
    {"configMapRef": {"name": "martlet-settings"}},
    {"secretRef": {"name": "martlet-secrets", "optional": True}},
)
"""Where each of our containers has its settings from."""
PYTHON_MIB: Final = 1024
"""What a TaskManager's Python may take beside Java, counted as Java's overhead."""


def manifest(kind: str, name: str) -> Manifest:
    (found,) = [each for each in ALL if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def pod(name: str) -> Manifest:
    found: Manifest = manifest("Deployment", name)["spec"]["template"]["spec"]
    return found


def container(name: str) -> Manifest:
    (found,) = pod(name)["containers"]
    return dict(found)


def literals(folder: Path) -> dict[str, str]:
    (generator,) = kustomization(folder)["configMapGenerator"]
    assert generator["name"] == "martlet-settings"
    return dict(line.split("=", 1) for line in generator["literals"])


def pods() -> Iterator[tuple[str, Manifest]]:
    """Each pod's specification, by the name of what makes it."""
    for each in ALL:
        if each["kind"] in ("Deployment", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], each["spec"]
        if each["kind"] == "FlinkDeployment":
            yield each["metadata"]["name"], each["spec"]["podTemplate"]["spec"]


def test_each_manifest_is_valid() -> None:
    kinds = set()
    for each in ALL:
        kinds.add(each["kind"])
        if each["kind"] != "FlinkDeployment":  # test_flink_deployment.py has its schema
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
    assert {"Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Service", "Job"} <= kinds


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda folder: folder.name)
def test_what_an_example_renders_is_valid(example: Path) -> None:
    rendered = rendered_by(example)
    assert {each["metadata"]["namespace"] for each in rendered} == {kustomization(EXAMPLE)["namespace"]}
    for each in rendered:
        if each["kind"] != "FlinkDeployment":
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_the_steps_that_make_the_home_are_rendered_with_its_number_of_partitions() -> None:
    rendered = {each["kind"]: each for each in rendered_by(EXAMPLE / "offline")}
    assert rendered["ConfigMap"]["data"] == literals(OFFLINE) | literals(EXAMPLE / "offline")
    spec = rendered["Job"]["spec"]["template"]["spec"]
    for step in (*spec["initContainers"], *spec["containers"]):
        assert step["envFrom"][0] == {"configMapRef": {"name": rendered["ConfigMap"]["metadata"]["name"]}}


def test_every_file_is_a_resource() -> None:
    for folder in (*FOLDERS, LEARN):
        files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert files == set(kustomization(folder)["resources"])


def test_settings_are_those_of_the_table_and_make_a_whole(tmp_path: Path) -> None:
    given = literals(BASE) | literals(EXAMPLE)
    assert set(given) <= {field.variable for field in FIELDS}
    settings = read_settings(Home(tmp_path), given, {}).settings
    assert settings.kafka.tls
    assert settings.kafka.topic_prefix == "shop."
    assert {path for path in given.values() if path.startswith("/")} == {
        f"/etc/martlet/certificates/{name}.pem" for name in ("kafka-ca", "kafka-client", "redis-ca", "redis-client")
    }


def test_the_home_is_made_with_the_partitions_that_an_overlay_names(tmp_path: Path) -> None:
    given = literals(OFFLINE) | literals(EXAMPLE / "offline")
    assert read_settings(Home(tmp_path), given, {}).settings.kafka.partitions == DEFAULT_PARTITIONS
    assert literals(EXAMPLE / "offline") == {"MARTLET_KAFKA_PARTITIONS": str(DEFAULT_PARTITIONS)}


@pytest.mark.parametrize(
    ("variable", "name", "port"),
    [
        ("MARTLET_MODELS_SERVER", "model-server", "8500"),
        ("MARTLET_API_ADDRESS", "api-each", "8000"),
        ("MARTLET_WATCH_ADDRESS", "watch", "9464"),
    ],
)
def test_an_address_is_a_service_and_its_port(variable: str, name: str, port: str) -> None:
    assert re.fullmatch(rf"(http://)?{name}:{port}", literals(BASE)[variable])
    spec = manifest("Service", name)["spec"]
    assert [str(each["port"]) for each in spec["ports"]] == [port]
    target = spec["selector"]["app.kubernetes.io/name"]
    (opened,) = container(target)["ports"]
    assert (opened["name"], str(opened["containerPort"])) == (spec["ports"][0]["targetPort"], port)


def test_flinks_address_is_the_service_that_its_operator_makes() -> None:
    name = manifest("FlinkDeployment", "martlet-flink")["metadata"]["name"]
    assert literals(BASE)["MARTLET_FLINK_ADDRESS"] == f"http://{name}-rest:8081"


@pytest.mark.parametrize("role", [*ROLES, "learn"])
def test_a_role_is_started_as_by_compose(role: str) -> None:
    found = container(role)
    assert found["args"] == service(role)["command"]
    assert found["image"] == f"{service(role)['image']}:{VERSION}"
    assert found["envFrom"] == list(SETTINGS)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_looked_after_as_by_compose(role: str) -> None:
    found = container(role)
    for probe in ("startupProbe", "livenessProbe"):
        if role == "job":
            assert found[probe]["exec"]["command"] == service("job")["healthcheck"]["test"][1:]
        else:
            assert found[probe]["httpGet"]["path"] in service(role)["healthcheck"]["test"][-1]


def test_the_model_server_is_started_as_by_compose() -> None:
    found = container("model-server")
    assert (found["image"], found["command"]) == (
        service("model-server")["image"],
        service("model-server")["entrypoint"],
    )
    assert found["args"] == service("model-server")["command"]
    assert not flags.parse(found["args"]).without_effect


def test_flinks_processes_are_configured_as_those_of_up_and_have_room_for_python() -> None:
    spec = manifest("FlinkDeployment", "martlet-flink")["spec"]
    overhead = {f"taskmanager.memory.jvm-overhead.{end}": f"{PYTHON_MIB}m" for end in ("min", "max")}
    expected = {name: str(value) for name, value in process_settings().items()} | overhead
    assert spec["flinkConfiguration"] == expected
    assert spec["logConfiguration"] == {"log4j-console.properties": CONSOLE_LOGGING}
    assert spec["image"] == f"martlet-flink:{VERSION}"
    assert spec["taskManager"]["replicas"] == slots_of(1) + 1
    for process, resource in (("jobmanager", "jobManager"), ("taskmanager", "taskManager")):
        sizes = [
            int(value.removesuffix("m"))
            for name, value in expected.items()
            if name.startswith(f"{process}.memory.") and not name.endswith((".min", ".segment-size"))
        ]
        assert spec[resource]["resource"]["memory"] == f"{sum(sizes)}m"


def test_flinks_processes_have_the_passwords_that_the_job_is_not_told() -> None:
    spec = manifest("FlinkDeployment", "martlet-flink")["spec"]["podTemplate"]["spec"]
    for variable in (KAFKA_VARIABLE, REDIS_VARIABLE):
        key = {"name": "martlet-secrets", "key": variable, "optional": True}
        assert {"name": variable, "valueFrom": {"secretKeyRef": key}} in spec["containers"][0]["env"]
        assert all(variable in environment(name) for name in ("jobmanager", "taskmanager"))


def test_offline_steps_are_commands_of_the_offline_image() -> None:
    spec = manifest("Job", "first-base-and-models")["spec"]["template"]["spec"]
    steps = [*spec["initContainers"], *spec["containers"]]
    assert [each["args"] for each in steps] == [[word, "--home", HOME] for word in ("features", "train")]
    assert {each["image"] for each in steps} == {f"martlet-offline:{VERSION}"}
    assert [each["envFrom"] for each in steps] == [list(SETTINGS)] * len(steps)
    assert "offline" in IMAGES


@pytest.mark.parametrize(("name", "spec"), list(pods()))
def test_each_pod_is_confined(name: str, spec: Manifest) -> None:
    user = spec["securityContext"]
    assert (user["runAsNonRoot"], user["runAsUser"], user["fsGroup"]) == (True, 9999, 9999)
    assert name == "martlet-flink" or spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    volumes = {each["name"] for each in spec["volumes"]}
    for each in [*spec.get("initContainers", []), *spec["containers"]]:
        context = each["securityContext"]
        assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
        assert context["capabilities"] == {"drop": ["ALL"]}
        paths = {mount["name"]: mount["mountPath"] for mount in each["volumeMounts"]}
        assert set(paths) <= volumes
        assert (paths["home"], paths["tmp"]) == (HOME, "/tmp")
        assert name == "martlet-flink" or {"requests", "limits"} <= set(each["resources"])


def test_a_role_would_refuse_the_variables_of_the_service_that_flinks_operator_makes(tmp_path: Path) -> None:
    service_link = {"MARTLET_FLINK_REST_SERVICE_HOST": "10.0.0.1"}
    with pytest.raises(BadInput, match="MARTLET_FLINK_REST_SERVICE_HOST"):
        read_settings(Home(tmp_path), literals(BASE) | literals(EXAMPLE) | service_link, {})


def test_spark_takes_as_many_cores_as_by_compose() -> None:
    master = environment("offline")["MARTLET_SPARK_MASTER"]
    assert literals(OFFLINE)["MARTLET_SPARK_MASTER"] == master
    assert {"name": "MARTLET_SPARK_MASTER", "value": master} in container("learn")["env"]


def test_commands_are_typed_in_a_pod_of_the_offline_image_that_ends_by_itself() -> None:
    spec = manifest("Pod", "commands")["spec"]
    (found,) = spec["containers"]
    assert found["image"] == f"martlet-offline:{VERSION}"
    assert (found["command"], spec["restartPolicy"]) == (["sleep", "3600"], "Never")


@pytest.mark.parametrize("name", ["api", "model-server"])
def test_what_only_reads_the_home_cannot_write_it(name: str) -> None:
    (mount,) = [each for each in container(name)["volumeMounts"] if each["name"] == "home"]
    assert mount["readOnly"]


@pytest.mark.parametrize("role", ["job", "watch", "learn"])
def test_of_what_there_is_one_there_is_never_a_second(role: str) -> None:
    spec = manifest("Deployment", role)["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")


def test_the_api_scales_and_is_ready_while_its_process_answers() -> None:
    scaler = manifest("HorizontalPodAutoscaler", "api")["spec"]
    assert scaler["scaleTargetRef"]["name"] == "api"
    assert "replicas" not in manifest("Deployment", "api")["spec"]
    assert container("api")["readinessProbe"]["httpGet"]["path"] == "/healthz"
    assert manifest("PodDisruptionBudget", "api")["spec"]["minAvailable"] < scaler["minReplicas"]


def policies() -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each["spec"] for each in ALL if each["kind"] == "NetworkPolicy"}


def test_policies_open_the_ports_that_settings_name() -> None:
    assert "ingress" not in policies()["martlet-closed"]
    opened = {name: _ports(spec, "ingress") for name, spec in policies().items()}
    assert opened["martlet-api"] == {8000}
    assert opened["martlet-watch"] == {9464}
    assert opened["martlet-model-server"] == {8500}
    assert opened["martlet-flink"] == {8081}
    addresses = literals(EXAMPLE)["MARTLET_KAFKA_BOOTSTRAP"], literals(EXAMPLE)["MARTLET_REDIS_URL"].removesuffix("/0")
    assert {int(each.rpartition(":")[2]) for each in addresses} <= _ports(policies()["martlet-engines"], "egress")


@pytest.mark.parametrize(("server", "port"), [("api", 8000), ("model-server", 8500)])
def test_the_watch_reaches_what_it_probes(server: str, port: int) -> None:
    def opens(rule: Manifest, peers: str, name: str) -> bool:
        label = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}
        return {each["port"] for each in rule["ports"]} == {port} and (peers not in rule or label in rule[peers])

    assert f":{port}" in "".join(literals(BASE).values())
    assert any(opens(rule, "to", server) for rule in policies()["martlet-watch"]["egress"])
    assert any(opens(rule, "from", "watch") for rule in policies()[f"martlet-{server}"]["ingress"])


def test_one_policy_opens_the_ways_to_the_engines_for_ours_and_for_flink() -> None:
    engines = {9092, 9093, 6379, 6380, 443}
    opening = {name for name, spec in policies().items() if engines & _ports(spec, "egress")}
    assert opening == {"martlet-engines"}
    assert _ports(policies()["martlet-engines"], "egress") == engines
    selected = policies()["martlet-engines"]["podSelector"]["matchLabels"]
    flink = manifest("FlinkDeployment", "martlet-flink")["spec"]["podTemplate"]
    assert flink["metadata"]["labels"] == selected
    (label,) = kustomization(BASE)["labels"]
    assert (label["pairs"], label["includeTemplates"]) == (selected, True)
    assert manifest("Deployment", "learn")["spec"]["template"]["metadata"]["labels"].items() >= selected.items()


def test_another_port_and_narrower_ways_are_opened_as_the_example_says(tmp_path: Path) -> None:
    copied = tmp_path / "kubernetes"
    shutil.copytree(MANIFESTS, copied)
    file = copied / EXAMPLE.relative_to(MANIFESTS) / "kustomization.yaml"
    text, count = re.subn(r"^  # (?=- target|  patch| +- \{op)", "  ", file.read_text(), flags=re.MULTILINE)
    assert count == 4
    file.write_text(text)
    (found,) = [each for each in rendered_by(file.parent) if each["metadata"]["name"] == "martlet-engines"]
    (rule,) = found["spec"]["egress"]
    assert {port["port"] for port in rule["ports"]} > _ports(policies()["martlet-engines"], "egress")
    assert [set(each) for each in rule["to"]] == [{"ipBlock"}]
    kubernetes_validate.validate(found, KUBERNETES, strict=True)


def _ports(spec: Manifest, direction: str) -> set[int]:
    return {port["port"] for rule in spec.get(direction, []) for port in rule.get("ports", [])}


@pytest.mark.parametrize(("example", "folder"), list(zip(EXAMPLES, FOLDERS, strict=True)))
def test_an_example_changes_what_its_folder_has_and_pulls_each_of_our_images(example: Path, folder: Path) -> None:
    found = kustomization(example)
    (resource,) = found["resources"]
    assert (example / resource).resolve() == folder
    assert found["namespace"] == kustomization(EXAMPLE)["namespace"]
    parts = [folder, *((example / each).resolve() for each in found.get("components", []))]
    names = {(each["kind"], each["metadata"]["name"]) for part in parts for each in manifests(part)}
    patched = {(patch["target"]["kind"], patch["target"]["name"]) for patch in found.get("patches", [])}
    assert patched <= names
    texts = [path.read_text() for part in parts for path in part.glob("*.yaml")]
    images = set(re.findall(r"image: (martlet-\w+):", "".join(texts)))
    renamed = {each["name"] for each in found.get("images", [])}
    assert images - renamed == ({"martlet-flink"} if ("FlinkDeployment", "martlet-flink") in patched else set())


def test_the_claim_is_made_once_with_a_class_that_can_not_be_changed() -> None:
    (claim,) = [each for each in ALL if each["kind"] == "PersistentVolumeClaim"]
    assert claim in list(manifests(MANIFESTS / "home"))
    (patch,) = kustomization(EXAMPLE / "home")["patches"]
    assert "/spec/storageClassName" in patch["patch"]
    claimed = [
        volume["persistentVolumeClaim"]["claimName"]
        for _, spec in pods()
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert set(claimed) == {claim["metadata"]["name"]}
