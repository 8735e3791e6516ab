"""Databases that are locked, a disk that is slowed down, connections that are cut."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import func, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from actors.settings import Settings
from actors.store import tables
from cluster.chaos import connections, databases
from cluster.chaos.fault import Fault

PATIENCE = {"sqlite": "PRAGMA busy_timeout = 50", "postgresql": "SET LOCAL lock_timeout = '50ms'"}
CLIENT = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    print(connection.fileno(), flush=True)
    print(connection.recv(1), flush=True)
"""


def fault(settings: Settings, name: str) -> Fault:
    return next(each for each in databases.faults(settings) if each.name == name)


def run(applied: Fault, seconds: float, begun: list[str]) -> None:
    async def work() -> None:
        await applied.do(seconds, begun.append)

    asyncio.run(work())


async def test_a_locked_database_is_readable_takes_no_write_and_is_free_afterwards(
    database_url: str,
) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    begun = asyncio.Event()
    lock = fault(Settings(stores_url=SecretStr(database_url)), "lock-stores")
    held = asyncio.create_task(lock.do(3600, lambda _to: begun.set()))
    await begun.wait()

    async def write() -> None:
        async with engine.begin() as connection:
            await connection.execute(text(PATIENCE[make_url(database_url).get_backend_name()]))
            await connection.execute(tables.tickets.delete())

    with pytest.raises(DBAPIError):
        await write()
    async with engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(tables.tickets)) == 0
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    await write()
    await engine.dispose()


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    begun: list[str] = []
    run(fault(Settings(data_dir=tmp_path), "lock-journal"), 0, begun)
    assert begun == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_what_slows_the_disk_down(tmp_path: Path) -> None:
    begun: list[str] = []
    run(fault(Settings(data_dir=tmp_path), "slow-disk"), 0.01, begun)
    assert begun == [str(tmp_path)]
    assert list(tmp_path.iterdir()) == []


def test_a_connection_of_another_process_is_cut_and_the_process_lives() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [sys.executable, "-c", CLIENT, str(server.getsockname()[1])]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            accepted, there = server.accept()
            descriptor = int(client.stdout.readline())
            here = server.getsockname()
            wrong = connections.End(client.pid, descriptor, there, ("127.0.0.1", here[1] + 1))
            assert not connections.shut_down(wrong)
            assert connections.shut_down(connections.End(client.pid, descriptor, there, here))
            with accepted:
                assert accepted.recv(1) == b""
            assert client.stdout.readline() == "b''\n"
        assert client.returncode == os.EX_OK
