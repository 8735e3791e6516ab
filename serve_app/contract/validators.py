"""The tags of what is read, and whether a client has it already. All of them are weak."""

from zlib import adler32, crc32

from starlette.types import Scope


def tag_of(body: bytes | memoryview) -> bytes:
    """Return the tag of what was read. It stands for that, however it is compressed on its way."""
    # 64 bits are enough to tell states of one thing apart, at a fifth of a hash's time.
    return b'W/"%08x%08x"' % (crc32(body), adler32(body))


def is_known(scope: Scope, tag: bytes) -> bool:
    """Return whether `If-None-Match` names this tag, or is `*` (RFC 9110, section 13.1.2)."""
    given = [value for name, value in scope["headers"] if name == b"if-none-match"]
    if not given:
        return False
    opaque = tag.removeprefix(b"W/")
    known = [each.strip() for value in given for each in value.split(b",")]
    return b"*" in known or any(each.removeprefix(b"W/") == opaque for each in known)
