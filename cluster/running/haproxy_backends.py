"""Which replica HAProxy asks, and for how long: an application's backends. Standard library only.

Beside Serve's own backend of an application there is one for its streams, and one for its reads.
"""

import socket
from dataclasses import dataclass
from pathlib import Path

from cluster.running.haproxy_sections import Section, servers

FEW_REQUESTS = 4
"""While a replica has fewer of a kind, all go to the same one, whose caches stay warm."""

STREAMS = "path_end /stream"
"""Which requests are streams, in HAProxy's words."""
STREAM_RULES = """\
    option abortonclose
    http-reuse always
    http-request return status 503 errorfile %(overloaded)s if { be_conn gt %(most)d }
"""
"""Who leaves a stream is noticed at once there, and not at the second event that reaches nobody;
elsewhere that would give up who has only closed the sending side. Followers take no more than their
share of the connections: where all are taken, nobody else is even heard."""

MAY_TAKE_LONG = """\
    acl may_take_long path /readyz
    acl may_take_long url_reg '/(order-details|payments)[?].*&'
"""
"""Reads that are left with the replica that has them. Whether orders can be placed is known after
2 s where something hangs, and what matches several filters may be far apart in a long history."""
READ_S = 1
READ_RULES = f"""\
    timeout server {READ_S}s
    retries 10
    retry-on conn-failure empty-response response-timeout
    http-reuse always
"""
"""A replica whose event loop stands still takes requests, and is replaced only after 9 s: another
one is asked meanwhile. All tries together last twice as long as the 5 s that the application gives
a database: what is slow, on a machine that has much else to do, fails nothing."""
SHUNNED_S = 5
"""So long nobody prefers a replica that has left a read to another one."""
MANY_READS = 100
"""With so many under way it is no sign of a replica that hangs where an answer takes its time: none
is asked for again then, which would only make it worse."""


IS_COMMAND = """\
    acl is_command method POST PATCH DELETE
    acl is_session path /session
"""
TAKES_HEADER = "x-siren-takes"
"""How many commands a replica takes at a time: it tells so with each answer."""
COMMAND_RULES = """\
    stick-table type string len 64 size 10k expire 60s store conn_cur
    acl is_order path /orders
    http-request track-sc0 req.body,json_query('$.store_id') if is_order
    http-request track-sc0 str(unknown) if is_order !{ sc0_tracked }
    acl is_too_much be_conn%(less)s gt 0
    acl is_much be_conn,mul(4)%(less)s%(less)s%(less)s gt 0
    acl is_one_store sc0_conn_cur,sub(1),mul(2)%(less)s gt 0
    http-request return status 503 errorfile %(overloaded)s if is_too_much or is_much is_one_store
"""
"""What replicas have no place for is refused before it reaches them, where that costs a fraction:
four times what they can take would leave them little time for what they took. The last quarter of
the places is for orders of stores that have less than half of them: so whoever orders elsewhere is
served beside a crowd at one store. Nothing is refused while a replica has told nothing yet."""


@dataclass(frozen=True)
class StreamBound:
    """How many streams there may be, and the file with what is answered where there is no room."""

    most: int
    overloaded: Path


def split_off(application: Section, frontend: Section, bound: StreamBound) -> list[Section]:
    """Return an application's other backends, and let the frontend and all of them choose."""
    streams = _tracking(application, "streams", STREAM_RULES % vars(bound))
    reads = _tracking(application, "reads", READ_RULES)
    commands = _tracking(application, "commands", _learn(application, frontend, bound))
    _choose(application.head.split()[1], frontend)
    _prefer(application, reads, commands)
    return [streams, reads, commands]


def _tracking(application: Section, kind: str, rules: str) -> Section:
    """Return a backend with an application's servers, which are up where the application's are."""
    name = application.head.split()[1]
    tracked = [
        f"    server {server} {address} track {name}/{server}{' backup' * ('backup' in options)}"
        for server, address, options in servers(application)
    ]
    return Section(f"backend {name}-{kind}", [*rules.splitlines(), *tracked])


def _choose(name: str, frontend: Section) -> None:
    """Send streams, commands, and reads another replica could answer, to backends of their own."""
    other = f"{{ nbsrv({name}) ge 2 }} {{ be_conn({name}-reads) lt {MANY_READS} }}"
    read = f"{{ method GET HEAD }} !may_take_long {other}"
    ours = (
        *MAY_TAKE_LONG.splitlines(),
        *IS_COMMAND.splitlines(),
        f"    use_backend {name}-streams if is_{name} {{ {STREAMS} }}",
        f"    use_backend {name}-reads if is_{name} {read}",
        f"    use_backend {name}-commands if is_{name} is_command !is_session",
    )
    frontend.lines = [
        changed
        for line in frontend.lines
        for changed in (
            (*ours, line) if line.strip().startswith(f"use_backend {name} ") else (line,)
        )
    ]


def _prefer(application: Section, reads: Section, commands: Section) -> None:
    """Send requests to the replica on this machine, where others are elsewhere.

    So a machine that vanishes takes along no request of another one's customers. Where all are
    here, the first one that has few requests gets them, and else the one that has fewest. Where the
    preferred one is down this does not count; where it does not answer it soon has more than few,
    or a read was answered by another one.
    """
    replicas = [each for each in servers(application) if "backup" not in each[2]]
    if not replicas:
        return
    parts = (application, reads, commands)
    names = [part.head.split()[1] for part in parts]
    here = [server for server, address, _ in replicas if _is_here(address.rpartition(":")[0])]
    if 0 < len(here) < len(replicas):
        first, rules = here[0], [f"use-server {here[0]} if"]
    else:
        first, rules = replicas[0][0], [_while_few(server, names) for server, _, _ in replicas]
    shunned = f"proc.{names[0].replace('-', '_')}_shunned"
    rules[0] += f" !{{ date,sub({shunned}) lt {SHUNNED_S} }}"
    for part in parts:
        part.put("".join(f"    {rule}\n" for rule in rules))
    reads.put(
        "    http-request set-var(txn.asked) date(0,ms)\n"
        f"    http-response set-var({shunned}) date"
        f" if !{{ srv_name {first} }} {{ date(0,ms),sub(txn.asked) ge {1000 * READ_S} }}"
    )


def _learn(application: Section, frontend: Section, bound: StreamBound) -> str:
    """Remember what each replica takes; return the rules of a backend that keeps to all of it."""
    name = application.head.split()[1].replace("-", "_")
    replicas = [server for server, _, options in servers(application) if "backup" not in options]
    takes = {f"proc.{name}_takes_{n}": server for n, server in enumerate(replicas)}
    frontend.put(
        "".join(
            f"    http-response set-var({variable}) res.hdr({TAKES_HEADER}),add(0)"
            f" if {{ srv_name {server} }} {{ res.hdr({TAKES_HEADER}) -m found }}\n"
            for variable, server in takes.items()
        )
    )
    if not takes:
        return ""
    less = "".join(f",sub({variable})" for variable in takes)
    return COMMAND_RULES % {"overloaded": bound.overloaded, "less": less}


def _while_few(server: str, backends: list[str]) -> str:
    few = [f"{{ srv_conn({backend}/{server}) lt {FEW_REQUESTS} }}" for backend in backends]
    return f"use-server {server} if {' '.join(few)}"


def _is_here(host: str) -> bool:
    """Return whether an address is one of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host.strip("[]"), 0))
        except OSError:
            return False
    return True
