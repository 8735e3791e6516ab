"""What a fault is: something that is done to the system for some seconds, and always undone."""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

Begun = Callable[[str], None]
"""Gets to what it is done, once it is."""
Do = Callable[[float, Begun], Coroutine[Any, Any, None]]
"""Does it for so many seconds; where there is nothing to do it to, it has not begun."""


class Fault(NamedTuple):
    """A kind of fault. `group` and `words` are for people; `name` is what `--faults` takes.

    `lasts`: least and most seconds that it goes on; zeros where it is over at once. `takes`: what
    of the system is away for a while; no two faults take the same away at once.
    """

    name: str
    group: str
    words: str
    do: Do
    lasts: tuple[float, float] = (0.0, 0.0)
    takes: str = ""
