"""`siren status` answers whatever is broken, and says what could not be asked."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.text import Text

from cluster.operations import status
from cluster.running.data_folder import DataFolder
from tests.support.command import alone, one_order, sentence, siren


def test_status_tells_what_the_files_tell_where_nothing_runs(tmp_path: Path) -> None:
    asyncio.run(one_order(tmp_path))
    result = siren("status", data=tmp_path)
    assert result.exit_code == 1
    assert "start it with `siren up`" in sentence(result)
    assert re.search(r"events in the journal\W+4\b", result.stdout)
    assert re.search(r"version of the live settings\W+0\b", result.stdout)


def test_what_is_known_of_a_part_is_shown_while_the_rest_is_waited_for() -> None:
    is_known, over = threading.Event(), threading.Event()

    def slow() -> Iterator[Text]:
        yield Text("the beginning")
        is_known.set()
        over.wait()

    part = status.Part("slow", slow)
    try:
        assert is_known.wait(30)
        assert str(part.shown(0.0)) == "the beginning"
        assert part.well
        assert part.hangs
    finally:
        over.set()


def test_status_waits_for_no_database_that_is_silent(tmp_path: Path) -> None:
    impatient = (
        "from cluster import cli\nfrom cluster.operations import status\n"
        "status.ANSWER_S = 1.0\ncli.app()"
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+asyncpg://siren@127.0.0.1:{silent.getsockname()[1]}/siren"
        ran = alone("status", data=tmp_path, begin=("-c", impatient), SIREN_DATABASE_URL=url)
    assert ran.returncode == 1
    assert "no answer within 1 s" in ran.stdout
    assert "start it with `siren up`" in ran.stderr


def test_status_tells_once_of_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    for name in ("journal.db", "readmodel.db"):
        (tmp_path / name).mkdir()
    ran = alone("status", data=tmp_path)
    assert ran.returncode == 1
    assert "journal.db: unable to open database file" in ran.stdout
    assert "readmodel.db: unable to open database file" in ran.stdout
    (complaint,) = ran.stderr.splitlines()
    assert "start it with `siren up`" in complaint


class _Gateway(BaseHTTPRequestHandler):
    """Answers with one status, as a replica does, or HAProxy where there is none."""

    def do_GET(self) -> None:
        assert self.path == "/healthz"
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("answer", "code", "shown"),
    [(200, 0, "gateway: answers"), (503, 1, "gateway: does not answer")],
)
def test_status_tells_whether_the_gateway_answers(
    tmp_path: Path, answer: int, code: int, shown: str
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server, DataFolder(tmp_path) as folder:
        server.status = answer  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder.tell(url=f"http://127.0.0.1:{server.server_port}")
        result = siren("status", data=tmp_path)
        server.shutdown()
    assert shown in result.stdout
    assert result.exit_code == code


def test_status_tells_that_the_gateway_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.operations.status.GATEWAY_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, DataFolder(tmp_path) as folder:
        folder.tell(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        result = siren("status", data=tmp_path)
    assert "gateway: does not answer" in result.stdout
    assert result.exit_code == 1
    assert "not all could be asked: gateway" in sentence(result)


def test_status_says_that_nothing_runs(tmp_path: Path) -> None:
    result = siren("status", data=tmp_path)
    assert result.exit_code == 1
    assert "start it with `siren up`" in sentence(result)
