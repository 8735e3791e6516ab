"""What `cluster/README.md` says of ports, costs and secrets is so."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cluster.running.environment import PORTS
from tests.support.deployment_files import CLUSTER, RAY_UP, load, load_all

README = (CLUSTER / "README.md").read_text()
GIB = {"Mi": 1 / 1024, "Gi": 1}


def _ports() -> set[int]:
    """Return what the table of ports names, each port of a range, too."""
    table = README.partition("## Ports")[2].partition("\n## ")[0]
    named: set[int] = set()
    for cell in re.findall(r"^\| (\d[^|]*) \|", table, re.MULTILINE):
        for part in cell.split(", "):
            first, _, last = part.partition("–")
            named |= set(range(int(first), int(last or first) + 1))
    return named


@pytest.mark.parametrize("name", RAY_UP)
def test_the_table_has_every_port_that_ray_is_started_with(name: str) -> None:
    config = load(CLUSTER / f"{name}.yaml")
    flags = {
        flag: int(port)
        for node in ("head", "worker")
        for flag, port in re.findall(
            r"--([a-z-]*port)=(\d+)", config[f"{node}_start_ray_commands"][-1]
        )
    }
    workers = range(flags["min-worker-port"], flags["max-worker-port"] + 1)
    assert {*flags.values(), *workers} <= _ports()


def test_the_table_has_every_port_that_serve_is_given() -> None:
    given = {name: int(port) for name, port in PORTS.items()}
    replicas = range(
        given["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"],
        given["RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"] + 1,
    )
    assert {*given.values(), *replicas} <= _ports()


def test_the_table_has_the_actors_ports_that_are_set_up() -> None:
    [(first, last)] = re.findall(r"^SIREN_ACTOR_PORTS=(\d+)-(\d+)$", README, re.MULTILINE)
    assert set(range(int(first), int(last) + 1)) <= _ports()


def _asked(manifest: Any) -> tuple[float, float]:
    """Return the cores and GiB of what a part of a manifest asks for."""
    if isinstance(manifest, list):
        parts = [_asked(each) for each in manifest]
    elif isinstance(manifest, dict):
        parts = [_asked(each) for each in manifest.values()]
        requests = manifest.get("requests", {})
        if "cpu" in requests:
            cores = re.sub("m$", "e-3", requests["cpu"])
            amount, unit = re.fullmatch(r"(\d+)(.i)", requests["memory"]).groups()  # type: ignore[union-attr]
            parts.append((float(cores), int(amount) * GIB[unit]))
        count = manifest.get("replicas", 1)
        parts = [(cores * count, memory * count) for cores, memory in parts]
    else:
        parts = []
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def test_what_kubernetes_is_asked_for_is_what_the_manifests_ask_for() -> None:
    manifests = [
        manifest
        for name in ("rayservice", "redis")
        for manifest in load_all((CLUSTER / "kubernetes" / f"{name}.yaml").read_text())
    ]
    cores, memory = _asked(manifests)
    assert f"Kubernetes: {cores:.4g} cores and {memory:.1f} GiB asked for" in README


@pytest.mark.parametrize("file", ["~/.siren/siren.env", "cluster/.env"])
def test_secrets_that_there_are_stay_when_they_are_set_up_again(file: str, tmp_path: Path) -> None:
    [setting_up] = re.findall(
        rf"^\[ -e {re.escape(file)} \].*?^END\n\)$", README, re.MULTILINE | re.DOTALL
    )
    for folder in (".siren", "cluster", "bin"):
        (tmp_path / folder).mkdir()
    openssl = tmp_path / "bin/openssl"
    openssl.write_text("#!/bin/bash\necho $RANDOM$RANDOM$RANDOM\n")
    openssl.chmod(0o755)
    place = tmp_path / file.removeprefix("~/")
    written = []
    for _ in range(2):
        environment = {"HOME": str(tmp_path), "PATH": f"{openssl.parent}:/usr/bin:/bin"}
        subprocess.run(["bash", "-c", setting_up], cwd=tmp_path, env=environment, check=True)
        written.append(place.read_text())
    assert re.search(r"^SIREN_JWT_SECRET=\d+$", written[0], re.MULTILINE)
    assert written[0] == written[1]
    assert place.stat().st_mode & 0o077 == 0


def test_the_image_is_called_alike_wherever_it_is_built_or_run() -> None:
    assert load(CLUSTER / "compose.yaml")["services"]["siren"]["image"] == "siren-order"
    assert re.findall(r"^docker run .* (\S+)$", README, re.MULTILINE) == ["siren-order"]
    assert "\ndocker build --tag siren-order .\n" in README
