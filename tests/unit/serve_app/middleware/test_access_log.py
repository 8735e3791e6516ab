"""A request's line tells of the request, and of nobody."""

import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from actors.settings import Settings
from tests.support.http_contract import placed
from tests.support.in_process import client_of, in_process
from tests.support.waiting import until


@pytest.fixture
async def logged(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir=tmp_path, log_format="json")
    async with in_process(settings) as siren, client_of(siren) as client:
        yield client


async def test_an_order_s_line_has_its_id_and_nothing_of_its_customer(
    logged: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.__stderr__", stream)
    order_id = await placed(logged)
    await until(stream.getvalue)
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert told.pop("ms") > 0
    assert told.pop("time").endswith("Z")
    assert told.pop("pid") > 0
    assert told == {
        "level": "INFO",
        "logger": "siren.access",
        "process": "gateway",
        "message": "POST /orders 201",
        "method": "POST",
        "route": "/orders",
        "status": 201,
        "role": "owner",
        "order_id": order_id,
    }
    for secret in ("영욱", "010-1234-5678", "tok_approve", "c-17"):
        assert secret not in line


async def test_in_owner_mode_text_has_no_lines_for_requests(
    shared_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "siren.access"):
        await shared_client.get("/stores")
    assert caplog.records == []
