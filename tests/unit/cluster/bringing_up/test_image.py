"""The image and the compose file, as far as they can be read without building."""

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from jsonschema import validators

from tests.support.deployment_files import CLUSTER, ROOT, load

DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = load(CLUSTER / "compose.yaml")
SECRETS = (
    "cluster/.env",
    "cluster/.env.local",
    "cluster/kubernetes-example/secrets.env",
    "actors/.env",
)
"""Where README.md has somebody write secrets, and where else they may."""


def _stages() -> list[str]:
    return re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]


def _rules() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _sent(name: str) -> bool:
    """Return whether a file reaches the builder: the last rule for it or a folder of it decides."""
    path, sent = PurePosixPath(name), True
    for rule in _rules():
        pattern = PurePosixPath(rule.removeprefix("!"))
        anywhere = pattern.parts[0] == "**"
        for each in (path, *path.parents[:-1]):
            place = each.name if anywhere else str(each)
            wanted = pattern.name if anywhere else str(pattern)
            if place.count("/") == wanted.count("/") and fnmatchcase(place, wanted):
                sent = rule.startswith("!")
    return sent


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_everything_is_installed_by_hash_or_is_the_package_itself() -> None:
    installs = re.findall(r"pip (?:install|wheel) (.*)", DOCKERFILE.read_text())
    assert installs
    for arguments in installs:
        assert "--require-hashes" in arguments or "--no-deps" in arguments, arguments


def test_the_last_stage_installs_nothing_and_is_nobody_s_root() -> None:
    last = _stages()[-1]
    assert not re.search(r"apt-get|pip|gcc", last)
    [user] = re.findall(r"^USER (.*)", last, re.MULTILINE)
    assert int(user) > 0
    assert "HEALTHCHECK" in last


def test_only_what_the_image_is_made_of_is_sent_to_the_builder() -> None:
    rules = _rules()
    assert rules[0] == "*"
    copied = re.findall(r"^COPY (?!--from)(.*) ", _stages()[0], re.MULTILINE)
    for source in " ".join(copied).split():
        assert f"!{source.split('/')[0]}" in rules


@pytest.mark.parametrize("name", SECRETS)
def test_no_file_of_secrets_is_sent_to_the_builder(name: str) -> None:
    assert _sent("cluster/cli.py")
    assert not _sent(name)


@pytest.mark.parametrize("builder", [WheelBuilder, SdistBuilder])
def test_no_file_of_secrets_is_packed(
    builder: type[WheelBuilder | SdistBuilder], tmp_path: Path
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in (*SECRETS, "cluster/cli.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    packed = builder(str(tmp_path)).recurse_included_files()
    assert [file.relative_path for file in packed] == ["cluster/cli.py"]


def test_the_compose_file_is_one() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    validators.validator_for(schema)(schema).validate(COMPOSE)


def test_passwords_come_from_outside_the_compose_file() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            if re.search("PASSWORD|SECRET|URL", name):
                assert re.search(r"\$\{[A-Z_]+:\?", value), name


def test_only_this_machine_reaches_the_gateway_and_nobody_the_database() -> None:
    assert COMPOSE["services"]["siren"]["ports"] == ["127.0.0.1:8088:8088"]
    assert "ports" not in COMPOSE["services"]["postgres"]


@pytest.mark.parametrize("name", ["siren", "postgres"])
def test_what_ends_by_a_fault_is_started_again(name: str) -> None:
    assert COMPOSE["services"][name]["restart"] == "unless-stopped"
