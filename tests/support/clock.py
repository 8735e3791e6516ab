"""A clock that the test turns."""


class TurnedClock:
    """A monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time that the test has set."""
        return self.now
