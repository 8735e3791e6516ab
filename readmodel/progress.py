"""How far a rebuild of the view is."""

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """How far a rebuild is."""

    running: bool = False
    position: int = 0
    last_position: int = 0
    error: str | None = None

    def reached(self, position: int, last_position: int) -> None:
        """Note the position reached."""
        self.position, self.last_position = position, last_position
