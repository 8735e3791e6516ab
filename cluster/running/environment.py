"""What Ray and Ray Serve read from the environment at import. Imports neither.

Call `prepare` before anything imports Ray; every process that Ray starts inherits it. On a cluster
that is `ray start`, on each node: `siren node` sets it there (see `node`).
"""

import os
import random
import socket
from pathlib import Path

SERVE = {
    # HAProxy in front of the replicas, and user code on the request's own loop: on two cores a
    # no-op route goes from 490 to about 3,000 requests a second.
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # HAProxy would write a line about each request to a process that only counts them: 0.05 ms of
    # CPU a request. Its own statistics page stays.
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    # It would send each request's address, and with it customers' ids, to whatever listens for
    # syslog on this machine. The "#" turns what Serve writes behind this into a comment.
    "RAY_SERVE_HAPROXY_LOG_TARGET": "127.0.0.1:514 local0 emerg #",
    # One thread has a request and its replica's connection at hand, four pass them on: 0.06 ms of
    # CPU a request instead of 0.10. It serves some ten thousand a second.
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    # Ten times a second, these two would take 3 % of a core while nothing happens.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "1000",
    # A replica or HAProxy's manager that is dead or hangs is found in seconds, not in half a
    # minute; a replica that is only busy, as with thousands of new streams, is left alone. What
    # hangs cannot finish its requests: it is killed.
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "2s",
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_FALL": "3",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "3",
    "RAY_SERVE_PROXY_GRACEFUL_SHUTDOWN_TIMEOUT_S": "1",
    "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
    # A replica that leaves says so to HAProxy, and serves on for so many seconds. Serve's new list,
    # without it, reaches HAProxy within a second or two, on a busy machine later.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "10",
    # When replicas come or go, another HAProxy takes over, and the one before goes on with what it
    # has: for streams to end with their orders, not after two minutes, all of them at once.
    "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "900",
    # A manager that took 15 s to start, on a machine with much else to do, was killed for it.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "20",
}
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # Statistics that only Ray's dashboard shows, at a price on every call.
    "RAY_task_events_report_interval_ms": "0",
    "RAY_event_stats": "0",
    # Ray would run its workers at nice 15: any other load on the machine would starve them.
    "RAY_worker_niceness": "0",
    # Each worker calls it first: SIGTERM shall end it, not leave it half dead.
    "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR": "cluster.running.worker.prepare",
}
LOOPBACK = {
    # Ray's own switch for "one machine only": the node's address becomes 127.0.0.1, and nothing
    # but HAProxy and the replicas behind it listens on other interfaces.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
MACHINES = {
    # A node whose only replica is being replaced counts as left by Serve, which ends its HAProxy
    # after this time, in seconds. It is needed again soon; meanwhile it asks others' replicas.
    "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "600",
    # A replica that leaves must not count as down before HAProxy has Serve's new list: it may be
    # the only one that HAProxy knows.
    "RAY_SERVE_HAPROXY_HEALTH_CHECK_FASTINTER": "2s",
    # The death of a machine is found in 2.5 to 3 s: who says nothing is asked once a second, and
    # has half of it to answer. With Ray's 3 s, 10 s and 5 misses it takes 15 to 20.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "3",
    # A node waits for the head so long, in seconds, and goes on meanwhile: a machine of a cloud
    # takes minutes to come back, and after Ray's 60 s all nodes would have ended with it.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "900",
    # What the head knows stays on its disk (see `node.environment_of`), unless Redis keeps it.
    "RAY_gcs_storage": "rocksdb",
}
PORTS = {
    # Below those that the kernel gives away, and the same on each node, for firewalls.
    "RAY_SERVE_HAPROXY_METRICS_PORT": "30001",
    "RAY_SERVE_HAPROXY_STATS_PORT": "30002",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": "30003",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "30010",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "30099",
}
CLUSTER = SERVE | RAY | MACHINES | PORTS
"""What each node of a cluster needs before `ray start`, beside what depends on the node."""


def prepare() -> None:
    """Set what a system on one machine needs, where it is not set: what the user set stays."""
    set_unset(SERVE | RAY | LOOPBACK)


def prepare_anywhere() -> None:
    """Set what holds on one machine and on a cluster alike."""
    set_unset(SERVE | RAY)


def set_unset(variables: dict[str, str]) -> None:
    """Set what is not set: whatever the user configured stays."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def exports(ray_address: str, data_dir: Path | None = None) -> dict[str, str]:
    """Return what lets plain Ray, its commands too, and Siren's scripts reach one system.

    It is the one of a data folder, else a cluster's.
    """
    ray = {"RAY_ADDRESS": ray_address, "RAY_AUTH_MODE": RAY["RAY_AUTH_MODE"]}
    return ray if data_dir is None else {"SIREN_DATA_DIR": str(data_dir)} | ray | LOOPBACK


def listen_error(host: str, port: int) -> OSError | None:
    """Return what keeps everybody from listening on this address now; None where nothing does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def port_is_free(host: str, port: int) -> bool:
    """Return whether somebody could listen on this address now."""
    return listen_error(host, port) is None


def free_port() -> int:
    """Return a port that nobody listens on.

    Below those that the kernel gives away: Ray asks it for dozens before this one is used.
    """
    while not port_is_free("", port := random.randrange(10_000, 20_000)):  # noqa: S311
        pass
    return port
