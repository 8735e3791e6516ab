"""What a client takes: media types and content codings (RFC 9110, section 12)."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from starlette.types import Scope

IDENTITY, GZIP = "identity", "gzip"
LONGEST = 300
"""Bytes of a header that is remembered once it was read; browsers send the same ones always."""

Headers = list[tuple[bytes, bytes]]
Weights = dict[str, float]
Result = TypeVar("Result")


def accepts(scope: Scope, media_types: tuple[str, ...]) -> bool:
    """Return whether a client takes any of `media_types`; whoever says nothing takes all."""
    accept = _given(scope["headers"], b"accept")
    if accept is None or accept == b"*/*":
        return True
    weights = _weights(accept)
    return not weights or any(_media_weight(weights, each) > 0 for each in media_types)


def prefers_html(scope: Scope) -> bool:
    """Return whether somebody reads this who names HTML, and likes it better than JSON."""
    weights = _weights(_given(scope["headers"], b"accept") or b"")
    return weights.get("text/html", 0) > _media_weight(weights, "application/json")


def coding(scope: Scope) -> str | None:
    """Return how a long answer is to be coded; None where the client takes neither way."""
    accept = _given(scope["headers"], b"accept-encoding")
    if accept is None:
        return IDENTITY
    weights = _weights(accept)
    others = weights.get("*")
    zipped = weights.get(GZIP, weights.get("x-gzip", others or 0))
    plain = weights.get(IDENTITY, 1 if others is None or others > 0 else 0)
    if zipped > 0 and (zipped >= weights.get(IDENTITY, 0) or not plain):
        return GZIP
    return IDENTITY if plain > 0 else None


def refuses_identity(scope: Scope) -> bool:
    """Return whether a client takes no answer that is not coded."""
    accept = _given(scope["headers"], b"accept-encoding")
    if accept is None or b"=0" not in accept.replace(b" ", b""):  # nearly all do
        return False
    weights = _weights(accept)
    return weights.get(IDENTITY, weights.get("*", 1)) == 0


def _given(headers: Headers, name: bytes) -> bytes | None:
    """Return a header's value, the parts of several lines joined; None where there is none."""
    found = None
    for each, value in headers:
        if each == name:
            found = value if found is None else found + b"," + value
    return found


def _remembering(read: Callable[[bytes], Result]) -> Callable[[bytes], Result]:
    remembered = lru_cache(maxsize=256)(read)
    return lambda value: remembered(value) if len(value) <= LONGEST else read(value)


@_remembering
def _weights(header: bytes) -> Weights:
    """Return what a list names, each with its weight; what cannot be read is left out."""
    weights: Weights = {}
    for element in header.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        if name:
            weights[name] = max(weights.get(name, 0), _weight(parameters))
    return weights


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0), 1)
            except ValueError:
                return 1
    return 1


def _media_weight(weights: Weights, media_type: str) -> float:
    """Return the weight that names a type most precisely."""
    main, _, _ = media_type.partition("/")
    for name in (media_type, f"{main}/*", "*/*", "*"):
        if name in weights:
            return weights[name]
    return 0
