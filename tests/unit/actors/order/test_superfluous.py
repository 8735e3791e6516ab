"""A host that has no slots any more ends itself, whatever Ray says at first."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.exceptions import RayError

from actors.order import actor
from actors.order.actor import OrderActor

PATIENCE = 30.0


@pytest.mark.parametrize("refusal", [ValueError("no actor of this name"), RayError("away")])
async def test_a_superfluous_host_leaves_once_ray_can_be_asked(
    refusal: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = [refusal, "me"]
    killed = asyncio.Event()

    def get_actor(*_name: str) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def recall(_fact: str) -> str:
        return "1"

    monkeypatch.setattr(actor, "SUPERFLUOUS_LOOK_S", 0.001)
    monkeypatch.setattr(ray, "get_actor", get_actor)
    monkeypatch.setattr(ray, "kill", lambda _me: killed.set())
    second: Any = OrderActor.__new__(OrderActor)
    second._journal = SimpleNamespace(recall=recall)
    second._orders = SimpleNamespace(busy=False)
    leaving = asyncio.ensure_future(second._leave_once_superfluous(1))
    try:
        ended = asyncio.ensure_future(killed.wait())
        await asyncio.wait({leaving, ended}, timeout=PATIENCE, return_when="FIRST_COMPLETED")
        assert killed.is_set()
    finally:
        leaving.cancel()
        ended.cancel()
