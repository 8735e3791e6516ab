"""The manifests for Kubernetes, by the schemas of KubeRay and Kubernetes; what they must say."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ray._common.utils import import_attr
from ray.serve.schema import ServeDeploySchema

from actors.settings import Settings
from cluster.running.deploying import application
from cluster.running.environment import CLUSTER as ENVIRONMENT
from tests.support.deployment_files import CLUSTER, ROOT, load, load_all, pinned

BASE = CLUSTER / "kubernetes"
KUBERNETES = "1.37"
RAY_SERVICE = json.loads((ROOT / "tests/support/kuberay/rayservice-v1.schema.json").read_text())
FILES = [file for file in sorted(BASE.glob("*.yaml")) if "kustom" not in file.name]
KINDS = {
    "ConfigMap",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "RayService",
    "Secret",
    "Service",
    "StatefulSet",
}
KUBECTL = Path(sys.executable).with_name("kubectl")


def _check(manifest: dict[str, Any]) -> None:
    """Raise where the manifest is not what its kind is."""
    if manifest["kind"] == "RayService":
        jsonschema.validate(manifest, RAY_SERVICE)
    else:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def _rendered(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return load_all(done.stdout)


def _overlay(folder: Path) -> Path:
    """Return the example overlay as somebody has it who followed its first lines."""
    for name in ("kubernetes", "kubernetes-example"):
        shutil.copytree(CLUSTER / name, folder / name)
    overlay = folder / "kubernetes-example"
    shutil.copy(overlay / "secrets.env.example", overlay / "secrets.env")
    return overlay


def _cluster(service: dict[str, Any]) -> Any:
    return service["spec"]["rayClusterConfig"]


def _pods(service: dict[str, Any]) -> dict[str, Any]:
    """Return the templates of head and workers."""
    cluster = _cluster(service)
    [worker] = cluster["workerGroupSpecs"]
    return {"head": cluster["headGroupSpec"]["template"], "worker": worker["template"]}


@pytest.fixture(scope="module")
def service() -> Any:
    return load(BASE / "rayservice.yaml")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_manifest_is_what_its_kind_is(file: Path) -> None:
    for manifest in load_all(file.read_text()):
        if "kind" in manifest:
            _check(manifest)


@pytest.mark.parametrize("node", ["head", "worker"])
def test_the_pods_that_kuberay_makes_are_pods(service: Any, node: str) -> None:
    template = _pods(service)[node]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": node} | template["metadata"]}
    _check(pod | {"spec": template["spec"]})


def test_the_base_renders_to_every_kind_that_it_needs() -> None:
    manifests = _rendered(BASE)
    for manifest in manifests:
        _check(manifest)
    assert {manifest["kind"] for manifest in manifests} == KINDS


def test_an_overlay_s_image_settings_and_secrets_reach_every_pod(tmp_path: Path) -> None:
    manifests = _rendered(_overlay(tmp_path))
    names = {m["metadata"]["name"].rpartition("-")[0]: m["metadata"]["name"] for m in manifests}
    [service] = [manifest for manifest in manifests if manifest["kind"] == "RayService"]
    _check(service)
    for template in _pods(service).values():
        [container] = template["spec"]["containers"]
        assert container["image"] == "registry.example.org/siren-order:0.1.0"
        assert container["envFrom"] == [
            {"configMapRef": {"name": names["siren-settings"]}},
            {"secretRef": {"name": names["siren-secrets"]}},
        ]
    password = _cluster(service)["gcsFaultToleranceOptions"]["redisPassword"]
    assert password["valueFrom"]["secretKeyRef"]["name"] == names["siren-secrets"]
    [settings] = [m for m in manifests if m["metadata"]["name"] == names["siren-settings"]]
    assert settings["data"] == {
        "SIREN_ACTOR_PORTS": "31000-31099",
        "SIREN_CONFIG": "/etc/siren/config/siren.toml",
        "SIREN_ORDER_HOSTS": "3",
    }


def test_the_file_of_settings_is_where_every_pod_looks_for_it_and_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = _rendered(_overlay(tmp_path))
    config = next(m for m in manifests if m["metadata"]["name"].startswith("siren-config"))
    settings = next(m for m in manifests if m["metadata"]["name"].startswith("siren-settings"))
    [service] = [manifest for manifest in manifests if manifest["kind"] == "RayService"]
    for template in _pods(service).values():
        [volume] = [each for each in template["spec"]["volumes"] if "configMap" in each]
        assert volume["configMap"]["name"] == config["metadata"]["name"]
        [mount] = [
            each
            for each in template["spec"]["containers"][0]["volumeMounts"]
            if each["name"] == volume["name"]
        ]
        [name] = config["data"]
        assert f"{mount['mountPath']}/{name}" == settings["data"]["SIREN_CONFIG"]
    file = tmp_path / "siren.toml"
    file.write_text(config["data"]["siren.toml"])
    monkeypatch.setenv("SIREN_CONFIG", str(file))
    assert "payment_deadline_s" in Settings().model_fields_set


def test_the_base_holds_no_secret() -> None:
    [secret] = [manifest for manifest in _rendered(BASE) if manifest["kind"] == "Secret"]
    assert set(secret["data"].values()) == {""}


def test_serve_takes_its_configuration_whole(service: Any) -> None:
    config = load_all(service["spec"]["serveConfigV2"])[0]
    # What it does not know it leaves out without a word.
    assert ServeDeploySchema.model_validate(config).model_dump(exclude_unset=True) == config


def test_the_system_is_deployed_as_by_serve_deploy(service: Any) -> None:
    assert load_all(service["spec"]["serveConfigV2"])[0] == load(CLUSTER / "serve.yaml")


def test_what_serve_imports_is_the_system() -> None:
    [system] = load(CLUSTER / "serve.yaml")["applications"]
    assert import_attr(system["import_path"]) is application


def test_no_pod_gets_another_environment_than_the_one_list(service: Any) -> None:
    for template in _pods(service).values():
        [container] = template["spec"]["containers"]
        assert "env" not in container
    for name in ("settings.env", "secrets.env"):
        lines = (BASE / name).read_text().splitlines()
        assert not {line.partition("=")[0] for line in lines} & ENVIRONMENT.keys()


def test_ray_is_of_the_version_in_the_image(service: Any) -> None:
    ray = pinned(CLUSTER / "locks" / "runtime.lock")["ray"]
    assert ray.startswith(f"ray=={_cluster(service)['rayVersion']} ")


def test_every_pod_starts_where_the_environment_of_a_node_is_set(service: Any) -> None:
    assert service["metadata"]["annotations"]["ray.io/overwrite-container-cmd"] == "true"
    for template in _pods(service).values():
        [container] = template["spec"]["containers"]
        [start] = container["args"]
        assert 'siren node /bin/bash -c "$KUBERAY_GEN_RAY_START_CMD; exit"' in start


def test_the_head_may_die_and_works_for_nobody_else(service: Any) -> None:
    cluster = _cluster(service)
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["gcsFaultToleranceOptions"]["redisAddress"] == "redis:6379"
    assert cluster["authOptions"] == {"mode": "token"}


def test_an_upgrade_goes_in_steps_and_has_what_kuberay_wants_for_it(service: Any) -> None:
    strategy = service["spec"]["upgradeStrategy"]
    assert strategy["type"] == "NewClusterWithIncrementalUpgrade"
    assert 0 < strategy["clusterUpgradeOptions"]["stepSizePercent"] < 100
    assert _cluster(service)["enableInTreeAutoscaling"]


def test_workers_stand_on_different_machines_and_one_may_be_emptied_at_a_time(
    service: Any,
) -> None:
    [group] = _cluster(service)["workerGroupSpecs"]
    [spread] = group["template"]["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["maxSkew"] == 1
    assert spread["matchLabelKeys"] == ["ray.io/cluster"]
    budget = load(BASE / "availability.yaml")["spec"]
    labels = group["template"]["metadata"]["labels"].items()
    assert budget["selector"]["matchLabels"].items() <= labels
    assert budget["minAvailable"] == group["replicas"] - 1


def test_kuberay_s_own_labels_stay_by_which_its_services_find_pods(service: Any) -> None:
    for template in _pods(service).values():
        for name in template["metadata"]["labels"]:
            assert not name.startswith("ray.io/")
            assert name not in {"app.kubernetes.io/name", "app.kubernetes.io/created-by"}


def test_policies_are_of_pods_that_there_are(service: Any) -> None:
    redis = load_all((BASE / "redis.yaml").read_text())[-1]["spec"]["template"]
    kinds = {name: pod["metadata"]["labels"] for name, pod in _pods(service).items()}
    kinds["redis"] = redis["metadata"]["labels"]

    def chosen(selector: Any) -> set[str]:
        wanted = selector["matchLabels"].items()
        return {name for name, labels in kinds.items() if wanted <= labels.items()}

    of_system, of_redis = load_all((BASE / "network.yaml").read_text())
    assert chosen(of_system["spec"]["podSelector"]) == {"head", "worker"}
    assert chosen(of_redis["spec"]["podSelector"]) == {"redis"}
    peers = [
        chosen(peer["podSelector"])
        for rule in of_system["spec"]["ingress"] + of_redis["spec"]["ingress"]
        for peer in rule.get("from", [])
        if "namespaceSelector" not in peer
    ]
    assert peers == [{"head", "worker"}, {"head", "worker"}]


def test_only_the_gateway_s_port_is_open_to_all() -> None:
    system, redis = load_all((BASE / "network.yaml").read_text())
    to_all = [rule["ports"] for rule in system["spec"]["ingress"] if "from" not in rule]
    assert to_all == [[{"protocol": "TCP", "port": 8088}]]
    assert all("from" in rule for rule in redis["spec"]["ingress"])


@pytest.mark.parametrize("node", ["head", "worker"])
def test_a_pod_can_do_no_more_than_it_must(service: Any, node: str) -> None:
    spec = _pods(service)[node]["spec"]
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert (
        container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
    )
    assert {"readinessProbe", "livenessProbe"} <= container.keys()
