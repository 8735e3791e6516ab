"""A channel whose silences are short, and one with the patience of the real ones."""

from collections.abc import AsyncIterator

import pytest

from actors.runtime import replacing, rpc_client, rpc_server
from tests.support.wire import Wire


@pytest.fixture
async def patient_wire() -> AsyncIterator[Wire]:
    """For tests that count connections: a busy machine makes none of them seem dead."""
    wire = Wire()
    yield wire
    for callee in wire.callees:
        await callee.stop_listening()


@pytest.fixture
def short_silences(monkeypatch: pytest.MonkeyPatch) -> None:
    for side in (rpc_client, rpc_server):
        monkeypatch.setattr(side, "HEARTBEAT_S", 0.02)
        monkeypatch.setattr(side, "CONNECT_S", 0.3)
    monkeypatch.setattr(replacing, "SILENCE_S", 0.3)


@pytest.fixture
def wire(short_silences: None, patient_wire: Wire) -> Wire:  # noqa: ARG001 - in this order
    return patient_wire
