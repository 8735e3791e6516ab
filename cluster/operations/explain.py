"""An order's story in English sentences, for terminals."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from actors.order.domain.story import Happening, Story, Wait

HAPPENED = {
    "OrderPlaced": "placed at {store_id}, {total} {currency}, to be paid by {payment_due:%H:%M:%S}",
    "PaymentRequested": "payment {attempt} asked for, {amount}",
    "PaymentApproved": "payment {attempt} approved",
    "PaymentDeclined": "payment {attempt} declined",
    "PaymentCanceled": "charge undone, or never made",
    "PickupStarted": "taken by the store as {number}, ready about {estimated_ready_at:%H:%M:%S}",
    "PickupRejected": "not made by the store ({reason})",
    "PickupCanceled": "ticket undone, or never opened",
    "PreparationStarted": "preparation begun",
    "PickupReady": "ready: its number is called",
    "PickedUp": "picked up",
    "OrderCanceled": "cancelled ({reason})",
    "CustomerErased": "name and phone number erased",
}
WAITS = {
    "AuthorizePayment": "payment, for its answer to charge {number}",
    "OpenTicket": "the store, to take it",
    "UpdateTicket": "the store, to follow with its ticket to version {number}",
    "CancelTicket": "the store, to undo its ticket",
    "CancelPayment": "payment, to undo its charge",
    "CustomerPays": "the customer, to pay",
    "BaristaBegins": "the barista, to begin",
    "BaristaIsDone": "the barista, to finish it",
    "CustomerPicksUp": "the customer, to pick it up",
    "Load": "its events to be mended: they cannot be read",
    "View": "its row of the order details, which is as it was before",
    "Nothing": "nothing that its events tell of",
}
NOW_SHOWN_S = 1.0
"""Shorter times are told in milliseconds."""


def sentences(story: Story, now: datetime) -> Iterator[str]:
    """Yield an order's life, a line each: times in UTC, durations as people say them."""
    status = story.order_status or "of unknown state"
    yield f"order {story.order_id}: {status}, version {story.version}"
    for happening in story.happened:
        yield _happening(happening)
    if story.untold is not None:
        yield f"the rest cannot be told: {story.untold}"
    for wait in story.waits:
        yield waiting(wait, now)
    if not story.waits and story.untold is None:
        yield "waits for nothing: it is over"


def waiting(wait: Wait, now: datetime) -> str:
    """Say what an order waits for, since when and until when, and how that fails."""
    parts = [
        f"waits for {awaited(wait.what)}, for {duration((now - wait.began_at).total_seconds())}"
    ]
    if wait.until is not None:
        parts.append(f"until {wait.until:%Y-%m-%d %H:%M:%S}")
    if wait.cause is not None:
        tried = f"tried {_times(wait.tries)}" if wait.tries else "not even asked"
        parts.append(f"{tried}: {wait.cause} ({wait.code})")
        after = "once that is mended" if wait.set_aside else "by itself, as soon as it can"
        parts.append(f"goes on {after}, or at once by `siren orders retry`")
    elif wait.stuck:
        parts.append("and should have gone on: nobody has noted a failure, see `siren status`")
    return "; ".join(parts)


def awaited(what: str) -> str:
    """Say what a step, or a wait for people, is for."""
    name, _, number = what.partition(" ")
    return WAITS.get(name, what).format(number=number)


def duration(seconds: float) -> str:
    """Return a duration in the unit that people would use."""
    if abs(seconds) < NOW_SHOWN_S:
        return f"{seconds * 1000:.0f} ms"
    if abs(seconds) < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))


def _happening(happening: Happening) -> str:
    data: dict[str, Any] = happening.data
    what = HAPPENED.get(happening.type, happening.type).format_map(data)
    after = "" if happening.after_s is None else f" +{duration(happening.after_s)}"
    took = ""
    if happening.took_s is not None:
        tried = "" if happening.tries == 1 else f", tried {_times(happening.tries or 1)}"
        took = f", took {duration(happening.took_s)}{tried}"
    at = f"{happening.at:%Y-%m-%d %H:%M:%S}"
    return f"{happening.version:>3}  {at}{after:<10}  {what}, by {happening.by}{took}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
