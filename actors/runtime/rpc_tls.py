"""Encryption between actors: Ray's own TLS settings hold for their connections, too.

With RAY_USE_TLS, both sides show a certificate (RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY) that the
cluster's authority (RAY_TLS_CA_CERT) has signed, as Ray's processes do among each other. Names in
them are not compared: whoever has such a certificate belongs to the cluster, on whatever address.
"""

import os
import ssl
from functools import cache

CERTIFICATE, KEY, AUTHORITY = "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT"


def is_encrypted() -> bool:
    """Return whether Ray's processes encrypt what they say to each other."""
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


@cache
def server_context() -> ssl.SSLContext | None:
    """Return what the side that listens uses; None where nothing is encrypted.

    Raises `OSError` (`ssl.SSLError` is one) where a file is missing or none of its kind.
    """
    return _context(ssl.PROTOCOL_TLS_SERVER)


@cache
def client_context() -> ssl.SSLContext | None:
    """Return what the side that connects uses, as `server_context` does."""
    return _context(ssl.PROTOCOL_TLS_CLIENT)


def _context(protocol: int) -> ssl.SSLContext | None:
    if not is_encrypted():
        return None
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(_file(AUTHORITY))
    context.load_cert_chain(_file(CERTIFICATE), _file(KEY))
    return context


def _file(name: str) -> str:
    path = os.environ.get(name)
    if not path:
        raise OSError(f"RAY_USE_TLS is set, so {name} must name a file")
    return path
