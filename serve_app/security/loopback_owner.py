"""Whether a request without a token comes from whoever sits at this machine."""

import re

from starlette.types import Scope

LOOPBACK = ("127.", "::1", "::ffff:127.")
# A name may end with the dot of the root.
_LOCAL_HOST = r"(?:localhost\.?|127\.0\.0\.1|\[::1\]|%s)(?::[0-9]{1,5})?"
NO_HOST = "it has no Host"
TWICE = "its Host or its Origin stands there twice"
FOREIGN_HOST = "its Host is no name of this machine, as localhost and 127.0.0.1 are"
FOREIGN_PAGE = "it comes from a page of another site"
PROXIED = "it came through a proxy"
FROM_AFAR = "it does not come from this machine"
"""Why a request is nobody's."""
# What a proxy says of itself. Whoever stands behind one is not known to sit here.
_PROXIED = (b"forwarded", b"via", b"x-real-ip")


class OwnerMode:
    """Lets in what a browser or a program on this machine sends to it, and nothing else.

    A page of another site is told by its `Origin`, one that had its name rebound to this machine
    by its `Host`, and a reverse proxy by what it adds. Who connects stays hidden behind HAProxy,
    which listens on `host`, a loopback address; whoever comes past it is told by the peer.
    """

    def __init__(self, host: str) -> None:
        self._local = re.compile((_LOCAL_HOST % re.escape(host)).encode(), re.IGNORECASE)

    def admits(self, scope: Scope) -> bool:
        """Return whether the request may act as the owner."""
        return self.objection(scope) is None

    def objection(self, scope: Scope) -> str | None:
        """Return why the request may not act as the owner, None where it may."""
        host = origin = None
        for name, value in scope["headers"]:
            if name == b"host":
                if host is not None:
                    return TWICE
                host = value
            elif name == b"origin":
                if origin is not None:
                    return TWICE
                origin = value
            elif name in _PROXIED or name.startswith(b"x-forwarded-"):
                return PROXIED
        if not host:
            return NO_HOST
        if not self._local.fullmatch(host):
            return FOREIGN_HOST
        if origin is not None and origin.lower() != b"http://" + host.lower():
            return FOREIGN_PAGE
        peer = scope.get("client")
        return None if peer is not None and peer[0].startswith(LOOPBACK) else FROM_AFAR
