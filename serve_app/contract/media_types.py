"""What the body of a request may say that it is."""

from functools import lru_cache

from serve_app.contract.problem_types import UNSUPPORTED_CODING, UNSUPPORTED_MEDIA_TYPE
from serve_app.contract.problems import Refused, problem

TAKEN = ("application/json", "application/x-www-form-urlencoded")
"""The second is what curl says of whatever it sends with `-d`. It is read as JSON all the same."""
CHARSETS = ("utf-8", "utf8", "us-ascii")
LONGEST = 200
"""Bytes; whatever is longer is none of these."""


def check_media_type(headers: list[tuple[bytes, bytes]]) -> None:
    """Raise `Refused` (415) where a body says that it is no JSON, or is coded.

    Without a Content-Type it may be JSON, and is read as that.
    """
    types = []
    for name, value in headers:
        if name == b"content-type":
            types.append(value)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise Refused(problem(UNSUPPORTED_CODING))
    if len(types) > 1 or (types and not (len(types[0]) <= LONGEST and _is_json(types[0]))):
        raise Refused(problem(UNSUPPORTED_MEDIA_TYPE))


@lru_cache(maxsize=64)
def _is_json(content_type: bytes) -> bool:
    media_type, *parameters = content_type.decode("latin-1").lower().split(";")
    if media_type.strip() not in TAKEN:
        return not content_type.strip()
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in CHARSETS:
            return False
    return True
