"""What an order fails at: a step of its saga, or being read."""

from dataclasses import dataclass
from datetime import datetime

LOAD, VIEW = "Load", "View"
"""Works beside the steps: taking an order into memory, and folding it into the view."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What an order fails at. `ended_at`: when it was done, or not needed any more.

    `set_aside`: asking again is not expected to help before something is mended; it is tried now
    and then, and at once on demand. `cause` has no personal data.
    """

    order_id: str
    work: str
    tries: int
    since: datetime
    last_at: datetime
    code: str
    cause: str
    set_aside: bool
    ended_at: datetime | None = None
