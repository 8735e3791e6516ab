"""A deploy waits for nodes that have other code than its own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.exceptions import GetTimeoutError, RayTaskError

from actors.contracts.errors import SirenError
from cluster.running import same_code
from cluster.running.same_code import code, wait_until_same


class Nodes:
    """Stands in for Ray: what each node says at each look; an error is raised."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: list[Any]) -> None:
        self.canceled: list[object] = []
        self._answers = answers
        task = SimpleNamespace(options=self._options)
        nodes = [{"NodeID": name, "NodeManagerAddress": f"host-{name}"} for name in answers]
        monkeypatch.setattr(same_code, "staying", lambda: nodes)
        monkeypatch.setattr(same_code, "LOOK_S", 0.0)
        monkeypatch.setattr(ray, "remote", lambda **_: lambda _function: task)
        monkeypatch.setattr(ray, "wait", lambda *_, **__: None)
        monkeypatch.setattr(ray, "get", self._get)
        monkeypatch.setattr(ray, "cancel", self.canceled.append)

    def _options(self, label_selector: dict[str, str]) -> SimpleNamespace:
        answers = self._answers[label_selector["ray.io/node-id"]]
        return SimpleNamespace(remote=lambda: answers.pop(0) if len(answers) > 1 else answers[0])

    def _get(self, told: object, timeout: float) -> object:
        assert timeout == 0
        if isinstance(told, Exception):
            raise told
        return told


def test_where_all_nodes_have_this_code_nothing_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Nodes(monkeypatch, a=[code()], b=[code()])
    said: list[str] = []

    wait_until_same(said.append, 60)

    assert said == []


def test_nodes_that_are_being_updated_are_named_and_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = RayTaskError("code", "gone", OSError())  # type: ignore[no-untyped-call]
    silent = GetTimeoutError()
    nodes = Nodes(monkeypatch, a=["old", code()], b=[code()], c=[without, silent, "old", code()])
    said: list[str] = []

    wait_until_same(said.append, 60)

    words = "waiting for the code of this node on"
    assert said == [f"{words} host-a, host-c", f"{words} host-c"]
    assert nodes.canceled == [without, silent]


def test_a_node_that_keeps_other_code_is_named_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    Nodes(monkeypatch, a=[code()], b=["old"])

    with pytest.raises(SirenError, match="host-b has other code"):
        wait_until_same(lambda _: None, 0)


def test_code_is_what_is_installed_and_not_what_runs_have_left_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(same_code, "ROOT", tmp_path)
    (tmp_path / "actors").mkdir()
    file = tmp_path / "actors" / "journal.py"
    file.write_text("one = 1")
    first = code()

    (tmp_path / "actors" / "journal.pyc").touch()
    assert code() == first
    file.write_text("one = 2")
    assert code() != first
    file.write_text("one = 1")
    file.rename(tmp_path / "actors" / "ledger.py")
    assert code() != first
