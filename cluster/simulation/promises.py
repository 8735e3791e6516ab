"""What people were told, held against the journal after a schedule.

Each invariant yields how it is violated; nothing where it holds.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from actors.order.domain.commands import parts_of
from actors.order.domain.order import fold
from cluster.simulation.clients import Ask

if TYPE_CHECKING:
    from cluster.simulation.invariants import Found


def acknowledged_is_there(found: "Found") -> Iterator[str]:
    """Look for what somebody was told: it is in the journal, in that version and status."""
    for answer in found.world.clients.answers:
        reply = answer.reply
        if reply is None:
            continue
        named = found.world.named(answer.order_id)
        history = found.histories.get(answer.order_id)
        if history is None:
            yield f"{named} was acknowledged, and is not in the journal"
            continue
        then = fold(history.events[: reply.version])
        if len(history.events) < reply.version or then is None:
            yield f"{named} was acknowledged in version {reply.version}, of {len(history.events)}"
        elif then.status != reply.order_status:
            yield f"{named} was told to be {reply.order_status}, and was {then.status}"
        keys = {parts_of(stored.command_id)[0] for stored in history.events}
        if not reply.replayed and answer.key_hash and answer.key_hash not in keys:
            what = answer.step.what
            if what not in ("erase", "place"):
                yield f"{named}: {what} was acknowledged, and is not in the journal"


def _refused_and_done(found: "Found") -> Iterator[tuple[Ask, str, float]]:
    """Yield each request that was refused and whose key is in the journal: since when it is."""
    clients, record = found.world.clients, found.world.record
    for ask in clients.asks:
        order_id = clients.ids.get(ask.order, "")
        if ask.refusal is None or order_id not in found.histories:
            continue
        hashed = clients.hashed(order_id, ask.key)
        for stored in found.histories[order_id].events:
            if parts_of(stored.command_id)[0] == hashed:
                yield ask, hashed, record.committed_at[order_id, stored.version]
                break


def refused_changed_nothing(found: "Found") -> Iterator[str]:
    """Look for requests that were refused, and done all the same.

    A refusal uses no key up. So where another request under the same key was under way meanwhile,
    or came later, it may be that one's work; not if it was over before this one was sent, without
    an answer: what nobody waits for any more must not be begun. Of what the network carried twice,
    or later than anybody waited for, a refusal is one copy's: no connection does that, and the
    simulated one does, to see whether it is harmless otherwise.
    """
    world = found.world
    for ask, hashed, at in _refused_and_done(found):
        unlikely = any(hashed.encode() in data for data in world.network.unlikely)
        others = (
            other
            for other in world.clients.asks
            if (other.order, other.key) == (ask.order, ask.key) and other.refusal is None
        )
        excused = any(other.asked_at <= at and other.ended_at > ask.asked_at for other in others)
        if at >= ask.asked_at and not unlikely and not excused:
            assert ask.refusal is not None
            named = world.named(world.clients.ids[ask.order])
            yield f"{ask.what} of {named} was refused ({ask.refusal.code}), and is in the journal"


def repeats_are_known(found: "Found") -> Iterator[str]:
    """Look for requests that had been carried out when they were asked again, and were refused."""
    for ask, _, at in _refused_and_done(found):
        if at < ask.asked_at:
            assert ask.refusal is not None
            named = found.world.named(found.world.clients.ids[ask.order])
            yield f"{ask.what} of {named} was done before it was refused ({ask.refusal.code})"
