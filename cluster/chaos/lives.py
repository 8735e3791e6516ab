"""What happens to the orders of a run: which card, and what customer and barista then do at once.

All of it is drawn from the seed and an order's number, whatever the system does meanwhile.
"""

import random
from typing import NamedTuple

APPROVE, DECLINE, FLAKY = "tok_approve", "tok_decline", "tok_flaky"
SLOW, LOST_REPLY, NO_CARD = "tok_slow_300", "tok_lost_reply", ""
LONGEST_PAUSE_S = 0.6


class Act(NamedTuple):
    """A command, after a pause; `token`: of the card that pays."""

    pause_s: float
    command: str
    token: str = ""


class Life(NamedTuple):
    """How an order is placed, and what several people do with it, each for themselves.

    `store`: which one, as a share of all. `wait_s`: how long the placing request may wait.
    `twice`: it is sent twice at once, with one key.
    """

    store: float
    token: str
    wait_s: int
    twice: bool
    people: tuple[tuple[Act, ...], ...]


BARISTA = ("start", "ready", "complete")
PLOTS: tuple[tuple[int, tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = (
    (30, (APPROVE,), (BARISTA,)),
    (8, (SLOW, FLAKY, LOST_REPLY), (BARISTA,)),
    (12, (APPROVE, SLOW, LOST_REPLY), (("cancel",),)),
    (14, (APPROVE, SLOW), (("cancel",), BARISTA)),
    (8, (APPROVE,), (("start", "ready"), ("reject",))),
    (8, (APPROVE,), (BARISTA, BARISTA)),
    (10, (NO_CARD, DECLINE), (("pay",), ("pay",))),
    (6, (NO_CARD, DECLINE), (("pay",), ("cancel",))),
    (4, (DECLINE,), (("pay", *BARISTA),)),
)
"""How many of a hundred, the cards that they are placed with, and what people do then."""


def life_of(seed: int, number: int) -> Life:
    """Return the life of the order with a number."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - no secret
    _, tokens, people = chance.choices(PLOTS, [plot[0] for plot in PLOTS])[0]
    return Life(
        chance.random(),
        chance.choice(tokens),
        chance.choice((0, 1, 1, 2)),
        chance.random() < 0.1,  # noqa: PLR2004 - one in ten
        tuple(tuple(_act(command, chance) for command in commands) for commands in people),
    )


def _act(command: str, chance: random.Random) -> Act:
    pause = chance.uniform(0, LONGEST_PAUSE_S)
    if command != "pay":
        return Act(pause, command)
    return Act(pause, command, chance.choice((APPROVE, APPROVE, DECLINE, SLOW)))
