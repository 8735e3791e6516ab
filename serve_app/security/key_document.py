"""Fetches the document of keys that an identity provider publishes, and trusts it with nothing."""

import http.client
import time
import urllib.request
from urllib.error import HTTPError

TIMEOUT_S = 5.0
"""For all of it: a server that sends a byte now and then must not keep a thread."""
LARGEST = 256 * 1024
PIECE = 16 * 1024


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nowhere: whoever answers must be whom the operator named."""

    def redirect_request(self, *_: object) -> None:
        return None


def fetch(url: str) -> bytes:
    """Return the document. Blocks for `TIMEOUT_S` at most.

    Raises `OSError` where it cannot be had: no answer in time, no 200, too large, cut off.
    """
    deadline = time.monotonic() + TIMEOUT_S
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(url, timeout=TIMEOUT_S) as response:
            if response.status != http.client.OK:
                raise OSError(f"status {response.status}")
            return _read(response, deadline)
    except HTTPError as error:
        error.close()
        raise
    except http.client.HTTPException as error:
        raise OSError(type(error).__name__) from error


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    document = bytearray()
    while piece := response.read1(PIECE):
        document += piece
        if len(document) > LARGEST:
            raise OSError("the document is too large")
        if time.monotonic() > deadline:
            raise TimeoutError("the document did not come in time")
    if response.length:
        raise OSError("the document was cut off")
    return bytes(document)
