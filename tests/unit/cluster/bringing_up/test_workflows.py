"""The workflows say what a person would type, and trust nobody more than they must."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.system import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
COMMIT = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def jobs(workflow: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(workflow.read_text())["jobs"]
    return found


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(workflow).values() for step in job.get("steps", [])]


def test_actionlint_finds_nothing() -> None:
    actionlint = shutil.which("actionlint", path=ROOT / ".venv" / "bin")
    assert actionlint is not None
    result = subprocess.run([actionlint, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_by_its_commit_with_its_full_version(workflow: Path) -> None:
    uses = re.findall(r"uses: (.*)", workflow.read_text())
    assert uses
    assert [use for use in uses if not use.startswith("./") and not COMMIT.fullmatch(use)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_may_be_written_and_nothing_runs_for_ever(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    for job in jobs(workflow).values():
        assert "uses" in job or job["timeout-minutes"] <= 60
        assert job.get("permissions", {"contents": "read"}) == {"contents": "read"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_each_target_that_is_made_is_one_of_the_makefile(workflow: Path) -> None:
    made = [
        word
        for step in steps(workflow)
        for line in re.findall(r"^\s*make (.*)$", step.get("run", ""), re.MULTILINE)
        for word in line.split()
        if "=" not in word
    ]
    assert made
    assert set(made) <= TARGETS


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_expression_is_pasted_into_a_shell(workflow: Path) -> None:
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []


def test_all_that_is_checked_before_a_merge_is_checked_before_a_release() -> None:
    release = jobs(ROOT / ".github" / "workflows" / "release.yml")
    assert release["checks"]["uses"] == "./.github/workflows/checks.yml"
    assert release["push"]["needs"] == "checks"
    assert release["deploy"]["needs"] == "push"
