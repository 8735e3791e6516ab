"""What of Serve's HAProxy configuration is changed before HAProxy reads it. Standard library only.

Serve writes the whole configuration and offers no way to add to it; so each section that it writes
is looked up by its name, lines of it are left out, and lines of ours take their place.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from cluster.running.haproxy_backends import STREAMS, TAKES_HEADER, StreamBound, split_off
from cluster.running.haproxy_sections import Section, only, sections

SECRET_HEADER = "x-siren-system"  # noqa: S105 - its name
FRONTEND = "frontend http_frontend"
NOBODY = "backend default_backend"
"""Where requests end while Serve has not told HAProxy about any application."""

MAX_CONNECTIONS = 25_000
"""Of customers. Ten thousand may follow their orders at the same time, and others still come in."""
STREAM_PERCENT = 80
FEW_CONNECTIONS = 32
"""For each page of statistics: whoever fills them holds nobody else up."""
PIPES = 50
"""For copying long answers. HAProxy would reserve files for one on every fourth connection."""
RESERVED_FILES = 600
"""Listeners, health checks, pipes, connections to the statistics, and HAProxy's own needs."""

TIME_LIMITS = """\
    timeout connect 500ms
    timeout check 2s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout queue 10s
"""
"""An answer may be 30 s in coming (`Prefer: wait`), and a stream sends something every 15 s."""

RETRIES = """\
    retries 5
    retry-on conn-failure empty-response
"""
"""With one replica dead, the other is asked. What is not idempotent is sent again only where the
first replica cannot have seen it; see `FRONTEND_RULES`. Reads are sent again sooner; see
`haproxy_backends`."""

LONGEST_ADDRESS = 8192
LARGEST_FIELDS = 12_288
MOST_FIELDS = 100
"""What a request's head may have: bytes of its address, bytes and number of its fields. RFC 9112
wants no less than 8,000 bytes of an address to be taken."""
MOST_FIELDS_READ = 256
"""Beyond this, and beyond 15 KiB in all, HAProxy takes a head for no HTTP, and answers 400 in words
of its own. A larger buffer is kept for each open stream: 38 KB with 32 KiB, now 22 KB."""

FRONTEND_RULES = """\
    http-request return status 505 errorfile %(version_not_supported)s unless { req.ver -m beg 1. }
    acl of_http method GET HEAD POST PUT PATCH DELETE OPTIONS TRACE
    http-request return status 501 errorfile %(not_implemented)s unless of_http
    acl has_path path_beg /
    acl of_all url *
    acl of_all url_beg http:// https://
    http-request return status 204 errorfile %(methods)s if !has_path { method OPTIONS } of_all
    http-request return status 400 errorfile %(bad_request)s unless has_path
    http-request return status 414 errorfile %(address_too_long)s if { url_len gt %(address)d }
    http-request return status 431 errorfile %(fields_too_large)s if { req.hdr_cnt gt %(fields)d }
    acl is_large req.len gt %(bytes)d
    acl has_large_fields req.hdrs,length gt %(bytes)d
    http-request return status 431 errorfile %(fields_too_large)s if is_large has_large_fields
    acl has_large_body req.body_size gt %(body)d
    acl has_large_body req.fhdr(content-length),ltrim(0),length gt %(digits)d
    http-request return status 413 errorfile %(body_too_large)s if has_large_body
    acl may_be_repeated method GET HEAD
    acl may_be_repeated req.hdr(idempotency-key) -m found
    http-request disable-l7-retry unless may_be_repeated
    http-request wait-for-body time 10s unless { method GET HEAD }
    http-request set-header %(header)s %(secret)s
    http-request del-header upgrade
    http-request del-header x-request-timeout-seconds
    http-request del-header x-request-disconnect-disabled
    http-request set-header x-request-disconnect-disabled ?1 unless { %(streams)s }
    http-request set-header x-request-id %%[uuid] unless { req.hdr(x-request-id) -m found }
    http-response del-header %(takes)s
    http-response set-header connection close if { status 413 }
    acl is_of_a_parser res.hdr(content-type) -m beg text/plain
    http-response return status 400 errorfile %(bad_request)s if { status 400 } is_of_a_parser
"""
"""A client cannot tell Ray Serve to break its own request off; no offer to change the protocol is
handed on, so that it is ignored (RFC 9110, section 7.8). Nobody but a stream's backend learns that
a client has left: Serve's two tasks that would wait for it, and an id that it would make, took a
twelfth of what an order costs the gateway. A body
that does not come ends here: the connection of a request that is not whole stays open whatever a
replica says, so whoever sends too much is told to close it. What a replica's parser refuses, it
refuses in a text of its own. To write a request's fields down costs, so it is done only where there
is much of it."""
LARGEST_BODY = 64 * 1024
LONGEST_LENGTH = 18
"""Bytes of a request's body, and digits of a larger one's length: HAProxy counts in 64 bits, and
takes 2^64 bytes for none."""

FRONTEND_ANSWERS = (
    "version_not_supported",
    "not_implemented",
    "methods",
    "bad_request",
    "address_too_long",
    "fields_too_large",
    "body_too_large",
)
OWN_ERRORS = {400: "bad_request", 408: "body_too_late"} | dict.fromkeys(
    (500, 502, 503, 504), "unavailable"
)
"""What HAProxy answers to what it cannot hand on, and where no replica answers: 503 to clients, who
need not know the difference. What is no HTTP to its parser HAProxy refuses in words of its own,
before version 3.2 whatever its configuration says (haproxy/haproxy#3032)."""


@dataclass(frozen=True)
class Edge:
    """What HAProxy of one system has to know: who the system is, and where it listens."""

    binary: str
    host: str
    secret: str = field(repr=False)


def answer_file(folder: Path, name: str) -> Path:
    """Return the file of an answer of HAProxy's own; see `haproxy_answers`."""
    return folder / f"{name}.http"


def edited(config: str, edge: Edge, folder: Path, files: int) -> str:
    """Return Serve's configuration as the system wants it.

    `folder` has HAProxy's own answers; `files` is how many it may open at a time. Raises
    `ValueError` where a section that has to be changed is not there: Serve writes another
    configuration than this was made for.
    """
    parts = {part.head.strip(): part for part in sections(config)}
    changes: dict[str, Callable[[Section], None]] = {
        "global": lambda part: _global(part, files),
        "defaults": lambda part: _defaults(part, folder),
        FRONTEND: lambda part: _frontend(part, edge, folder, files),
        NOBODY: lambda part: _nobody(part, folder),
        "frontend prometheus": _statistics,
        "listen stats": _statistics,
    }
    if missing := changes.keys() - parts.keys():
        raise ValueError(f"Serve's HAProxy configuration lacks: {', '.join(sorted(missing))}")
    for head, change in changes.items():
        change(parts[head])
    applications = [
        part for head, part in parts.items() if head.startswith("backend ") and head != NOBODY
    ]
    bound = StreamBound(most_streams(files), answer_file(folder, "overloaded"))
    apart = [split_off(part, parts[FRONTEND], bound) for part in applications]
    written = [*parts.values(), *chain.from_iterable(apart)]
    return "".join(f"{line}\n" for part in written for line in (part.head, *part.lines))


def connections(files: int) -> int:
    """Return how many customers may be connected: each takes a file here and one to a replica."""
    return max(100, min(MAX_CONNECTIONS, (files - RESERVED_FILES) // 2))


def most_streams(files: int) -> int:
    """Return how many of these connections may be streams: the others are left for orders."""
    return connections(files) * STREAM_PERCENT // 100


def _global(part: Section, files: int) -> None:
    admin = only(part, "stats socket").split()[2]
    part.drop("maxconn", "stats socket")
    part.put(
        f"    maxconn {connections(files) + 3 * FEW_CONNECTIONS}\n    maxpipes {PIPES}\n"
        f"    tune.http.maxhdr {MOST_FIELDS_READ}\n"
        f"    stats socket {admin} mode 600 level admin expose-fd listeners"
    )


def _defaults(part: Section, folder: Path) -> None:
    # A client that has closed its sending side waits for its answer all the same.
    part.drop("timeout ", "option abortonclose", "errorfile", "retries", "retry-on")
    answers = "".join(
        f"    errorfile {status} {answer_file(folder, name)}\n"
        for status, name in OWN_ERRORS.items()
    )
    # A browser opens connections for later: they end without an answer to what nobody asked.
    part.put(f"{TIME_LIMITS}{RETRIES}{answers}    option http-ignore-probes")


def _frontend(part: Section, edge: Edge, folder: Path, files: int) -> None:
    port = only(part, "bind").rpartition(":")[2]
    part.drop("bind")
    part.put(
        f"    bind {_address(edge.host, port)}\n    maxconn {connections(files)}\n"
        + _rules(edge, folder)
    )


def _rules(edge: Edge, folder: Path) -> str:
    answers = {name: answer_file(folder, name) for name in FRONTEND_ANSWERS}
    return FRONTEND_RULES % {
        **answers,
        "address": LONGEST_ADDRESS,
        "bytes": LARGEST_FIELDS,
        "fields": MOST_FIELDS,
        "body": LARGEST_BODY,
        "digits": LONGEST_LENGTH,
        "header": SECRET_HEADER,
        "streams": STREAMS,
        "takes": TAKES_HEADER,
        "secret": edge.secret,
    }


def _nobody(part: Section, folder: Path) -> None:
    # Serve's 404 would say of orders that exist that they do not.
    part.drop("http-request return")
    part.put(f"    http-request return status 503 errorfile {answer_file(folder, 'starting')}")


def _statistics(part: Section) -> None:
    port = only(part, "bind").rpartition(":")[2]
    part.drop("bind")
    part.put(
        f"    bind 127.0.0.1:{port}\n    maxconn {FEW_CONNECTIONS}\n"
        "    timeout client 5s\n    timeout http-keep-alive 5s"
    )


def _address(host: str, port: str) -> str:
    if host == "::":
        return f":::{port} v4v6"
    return f"{'*' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - HAProxy's word for it
