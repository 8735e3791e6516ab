"""What HAProxy reads: the configuration of the installed Serve, rendered, and as we change it."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from fastapi import sse
from ray.serve._private import constants as serve_constants
from ray.serve._private import haproxy as serve_haproxy

from actors.contracts.limits import MAX_WAIT_S
from actors.runtime.database import READ_LIMIT_S
from cluster.running.haproxy import _real_binary
from cluster.running.haproxy_config import (
    FRONTEND,
    NOBODY,
    connections,
)
from cluster.running.haproxy_sections import has_applications, sections
from serve_app.middleware import own_system
from tests.support.haproxy import FILES, SECRET, changed, written

STREAMS = "backend http-siren-streams"
READS = "backend http-siren-reads"
COMMANDS = "backend http-siren-commands"


@pytest.fixture
def starting(tmp_path: Path) -> str:
    """What Serve writes before it knows of any application."""
    return written(tmp_path, {})


@pytest.fixture
def serving(tmp_path: Path) -> str:
    """What it writes with one application, two replicas and its own proxy behind them."""
    servers = [serve_haproxy.ServerConfig(f"r{i}", "127.0.0.1", 18_000 + i) for i in range(2)]
    backend = serve_haproxy.BackendConfig(
        name="http-siren",
        path_prefix="/",
        app_name="siren",
        servers=servers,
        fallback_server=serve_haproxy.ServerConfig("fallback", "127.0.0.1", 18_009),
    )
    return written(tmp_path, {"http-siren": backend})


def test_haproxy_takes_it_wherever_it_shall_listen(serving: str, tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "::1", "::"):
        file = tmp_path / "edited.cfg"
        file.write_text(changed(serving, tmp_path, host))
        checked = subprocess.run(
            [_real_binary(), "-c", "-f", str(file)], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr


def test_where_others_are_elsewhere_the_replica_here_is_preferred_unless_it_left_reads_to_them(
    serving: str, tmp_path: Path
) -> None:
    file = tmp_path / "edited.cfg"
    file.write_text(changed(serving.replace("127.0.0.1:18000", "192.0.2.1:18000"), tmp_path))
    lines = _lines(file.read_text())
    rule = "use-server r1 if !{ date,sub(proc.http_siren_shunned) lt 5 }"
    found = [(head, line) for head, line in lines if line.startswith("use-server ")]
    assert found == [("backend http-siren", rule), (READS, rule), (COMMANDS, rule)]
    subprocess.run([_real_binary(), "-c", "-f", str(file)], capture_output=True, check=True)


def test_only_the_front_listens_beyond_loopback(serving: str, tmp_path: Path) -> None:
    binds = [
        (head, line.split()[1])
        for head, line in _lines(changed(serving, tmp_path, "0.0.0.0"))
        if line.startswith("bind ")
    ]
    assert len(binds) == 3
    assert {head for head, address in binds if not address.startswith("127.0.0.1:")} == {FRONTEND}
    assert dict(binds)[FRONTEND] == "*:8088"


def test_the_statistics_cannot_take_the_customers_connections(serving: str, tmp_path: Path) -> None:
    limits = {
        head: int(line.split()[1])
        for head, line in _lines(changed(serving, tmp_path))
        if line.startswith("maxconn ")
    }
    others = sum(limit for head, limit in limits.items() if head not in ("global", FRONTEND))
    assert limits["global"] >= limits[FRONTEND] + others
    assert limits[FRONTEND] == connections(FILES) > 9_000


def test_a_request_has_ten_seconds_for_its_head(serving: str, tmp_path: Path) -> None:
    lines = [line for head, line in _lines(changed(serving, tmp_path)) if head == "defaults"]
    assert "timeout http-request 10s" in lines
    assert len([line for line in lines if line.startswith("timeout client")]) == 1


def test_whoever_waits_for_an_answer_or_an_event_is_not_cut_off(
    serving: str, tmp_path: Path
) -> None:
    config = "\n".join(
        line for head, line in _lines(changed(serving, tmp_path)) if head == "defaults"
    )
    limits = dict(re.findall(r"timeout (client|server) (\d+)s", config))
    for seconds in (int(limits["client"]), int(limits["server"])):
        assert seconds > 1.5 * MAX_WAIT_S
        assert seconds > 3 * sse._PING_INTERVAL


def test_a_client_that_closes_its_sending_side_is_not_given_up(
    serving: str, tmp_path: Path
) -> None:
    assert "option abortonclose" in serving
    lines = _lines(changed(serving, tmp_path))
    assert {head for head, line in lines if line == "option abortonclose"} == {STREAMS}


def test_streams_reads_and_commands_have_backends_of_their_own_with_the_same_replicas(
    serving: str, tmp_path: Path
) -> None:
    lines = _lines(changed(serving, tmp_path))
    choices = [line for _, line in lines if line.startswith("use_backend ")]
    read = "{ method GET HEAD } !may_take_long"
    other = "{ nbsrv(http-siren) ge 2 } { be_conn(http-siren-reads) lt 100 }"
    assert choices == [
        "use_backend http-siren-streams if is_http-siren { path_end /stream }",
        f"use_backend http-siren-reads if is_http-siren {read} {other}",
        "use_backend http-siren-commands if is_http-siren is_command !is_session",
        "use_backend http-siren if is_http-siren",
    ]
    for backend in (STREAMS, READS, COMMANDS):
        servers = [line for head, line in lines if head == backend and line.startswith("server ")]
        assert servers == [
            "server r0 127.0.0.1:18000 track http-siren/r0",
            "server r1 127.0.0.1:18001 track http-siren/r1",
            "server fallback 127.0.0.1:18009 track http-siren/fallback backup",
        ]


def test_only_a_read_is_asked_for_again_where_an_answer_is_late(
    serving: str, tmp_path: Path
) -> None:
    lines = _lines(changed(serving, tmp_path))
    late = {head for head, line in lines if re.match("retry-on .*response-timeout", line)}
    assert late == {READS}


def test_all_tries_of_a_read_last_longer_than_a_database_that_does_not_answer(
    serving: str, tmp_path: Path
) -> None:
    lines = _lines(changed(serving, tmp_path))
    (limit,) = (line for head, line in lines if head == READS and "timeout server" in line)
    (retries,) = (line for head, line in lines if head == READS and line.startswith("retries "))
    seconds = int(limit.split()[-1].removesuffix("s"))
    assert seconds * (1 + int(retries.split()[1])) > 2 * READ_LIMIT_S


def test_only_a_stream_s_replica_waits_for_the_client_to_leave(
    serving: str, tmp_path: Path
) -> None:
    header = serve_constants.SERVE_HTTP_REQUEST_DISCONNECT_DISABLED_HEADER
    lines = [line for head, line in _lines(changed(serving, tmp_path)) if head == FRONTEND]
    assert [line for line in lines if header in line] == [
        f"http-request del-header {header}",
        f"http-request set-header {header} ?1 unless {{ path_end /stream }}",
    ]


def test_every_request_gets_the_system_s_secret_and_a_client_s_own_is_written_over(
    serving: str, tmp_path: Path
) -> None:
    lines = [line for head, line in _lines(changed(serving, tmp_path)) if head == FRONTEND]
    assert f"http-request set-header {own_system.HEADER.decode()} {SECRET}" in lines


def test_before_it_knows_a_replica_it_says_so_in_a_problem_document(
    starting: str, tmp_path: Path
) -> None:
    config = changed(starting, tmp_path)
    (rule,) = (line for head, line in _lines(config) if head == NOBODY)
    assert rule.startswith("http-request return status 503 errorfile ")
    head, problem = _answer(rule)
    assert "content-type: application/problem+json" in head
    assert "retry-after: 1" in head
    assert (problem["status"], problem["code"]) == (503, "starting")
    assert not has_applications(config)


def test_where_no_replica_answers_it_says_so_in_a_problem_document(
    serving: str, tmp_path: Path
) -> None:
    answers = {
        line.split()[1]: line
        for _, line in _lines(changed(serving, tmp_path))
        if line.startswith("errorfile")
    }
    own = {"500", "502", "503", "504"}
    assert answers.keys() == {*own, "400", "408"}
    for status in own:
        head, problem = _answer(answers[status])
        assert head.startswith("http/1.1 503 ")
        assert (problem["status"], problem["code"]) == (503, "unavailable")
        assert "retry-after: 1" in head


@pytest.mark.parametrize(("status", "code"), [(400, "bad_request"), (408, "body_too_late")])
def test_what_is_no_whole_request_is_refused_in_a_problem_document(
    serving: str, tmp_path: Path, status: int, code: str
) -> None:
    config = changed(serving, tmp_path)
    (line,) = (line for _, line in _lines(config) if line.startswith(f"errorfile {status} "))
    head, problem = _answer(line)
    assert head.startswith(f"http/1.1 {status} ")
    assert "connection: close" in head
    assert (problem["status"], problem["code"]) == (status, code)


def test_another_configuration_than_it_was_made_for_is_refused(
    serving: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="lacks: frontend http_frontend"):
        changed(serving.replace(FRONTEND, "frontend web"), tmp_path)


def _lines(config: str) -> list[tuple[str, str]]:
    return [
        (part.head, line.strip())
        for part in sections(config)
        for line in part.lines
        if line.strip() and not line.strip().startswith("#")
    ]


def _answer(rule: str) -> tuple[str, dict[str, object]]:
    """Return the head, in lower case, and the document of the file that a rule ends with."""
    head, _, body = Path(rule.rpartition(" ")[2]).read_bytes().decode().partition("\r\n\r\n")
    assert f"content-length: {len(body)}" in head.lower()
    return head.lower(), json.loads(body)
