"""What a cluster runs is what the tests run: the locks of both agree."""

import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.deployment_files import CLUSTER, ROOT, pinned

ALL = ROOT / "requirements.lock"
RUNTIME = CLUSTER / "locks" / "runtime.lock"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@pytest.mark.parametrize("name", ["runtime", "build", "aws"])
def test_a_package_is_of_the_version_and_hash_that_is_tested(name: str) -> None:
    entries = pinned(CLUSTER / "locks" / f"{name}.lock").items()
    assert entries <= pinned(ALL).items()


def test_what_google_s_head_needs_fits_what_it_runs() -> None:
    running = pinned(RUNTIME)
    for name, entry in pinned(CLUSTER / "locks" / "gcp.lock").items():
        assert running.get(name, entry) == entry


@pytest.mark.parametrize("file", sorted((CLUSTER / "locks").iterdir()), ids=lambda file: file.stem)
def test_every_package_has_a_hash(file: Any) -> None:
    assert all(" --hash=sha256:" in entry for entry in pinned(file).values())


def test_the_runtime_has_all_that_the_package_needs_and_nothing_of_the_tests() -> None:
    there = set(pinned(RUNTIME))
    assert _names(PROJECT["project"]["dependencies"]) <= there
    assert not {"pytest", "mypy", "ruff", "moto"} & there


def test_ray_is_of_exactly_one_version() -> None:
    [ray] = [text for text in PROJECT["project"]["dependencies"] if text.startswith("ray[")]
    assert pinned(RUNTIME)["ray"].split()[0] == ray.replace("[serve]", "")
