"""A mapping that only grows, for states that are folded from events."""

from typing import Any, Generic, Self, TypeVar, overload

Value = TypeVar("Value")
Default = TypeVar("Default")


class GrowingMap(Generic[Value]):
    """An immutable mapping from texts: `plus` returns the next one, in constant time.

    All that grew out of each other share one dictionary, of which each sees what was there when it
    was made. Only a second `plus` on the same map copies it; a fold makes none.
    """

    __slots__ = ("_shared", "_size")

    def __init__(self, shared: dict[str, tuple[int, Value]] | None = None, size: int = 0) -> None:
        self._shared = {} if shared is None else shared
        self._size = size

    def plus(self, key: str, value: Value) -> Self:
        """Return a map that has `key` too; a key that it has already keeps its value."""
        shared, size = self._shared, self._size
        known = shared.get(key)
        if known is not None and known[0] < size:
            return self
        if len(shared) != size or not size:  # the empty map is everybody's beginning
            shared = dict(self._visible())
        shared[key] = (size, value)
        return type(self)(shared, size + 1)

    @overload
    def get(self, key: str) -> Value | None: ...
    @overload
    def get(self, key: str, default: Default) -> Value | Default: ...
    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of `key`, `default` where there is none; in constant time."""
        known = self._shared.get(key)
        return default if known is None or known[0] >= self._size else known[1]

    def items(self) -> list[tuple[str, Value]]:
        """Return keys and values in the order in which they came."""
        return [(key, value) for key, (_, value) in self._visible()]

    def _visible(self) -> list[tuple[str, tuple[int, Value]]]:
        return [(key, entry) for key, entry in self._shared.items() if entry[0] < self._size]

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GrowingMap) and self.items() == other.items()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self.items())!r})"
